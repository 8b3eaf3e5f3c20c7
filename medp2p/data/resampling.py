"""A plane on another lattice about the same middle: linear for intensities, nearest for labels; numpy alone."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def resampled(
    plane: Array,
    spacing: tuple[float, float],
    size: tuple[int, int],
    new_spacing: tuple[float, float],
    nearest: bool,
    *,
    smooth: bool,
) -> Array:
    """A plane on another lattice about the same centre; an axis whose spacing and size stay is not touched."""
    steps = [new / old for old, new in zip(spacing, new_spacing, strict=True)]
    same = [step == 1.0 and old == new for step, old, new in zip(steps, plane.shape, size, strict=True)]
    if nearest:
        rows, columns = (
            np.arange(new) if kept else _nearest(old, new, step)
            for kept, old, new, step in zip(same, plane.shape, size, steps, strict=True)
        )
        return plane[np.ix_(rows, columns)]
    values = np.ascontiguousarray(plane, np.float32)
    for axis in (1, 0):
        if not same[axis]:
            values = _mixed(values, linear_taps(plane.shape[axis], size[axis], steps[axis], smooth=smooth), axis)
    return values


Taps = tuple[NDArray[np.intp], NDArray[np.float32]]
"""Which samples make each new one, and their weights; both of shape (taps, new samples)."""


def _mixed(values: NDArray[np.float32], taps: Taps, axis: int) -> NDArray[np.float32]:
    """Each new row or column as a weighted sum of old ones.

    Additions one after the other, not a product of matrices: that is slower here, and rounds otherwise with other
    numbers of threads.
    """
    mixed: NDArray[np.float32] | None = None
    for places, weights in zip(*taps, strict=True):
        part = np.take(values, places, axis=axis)
        part *= weights if axis else weights[:, None]
        mixed = part if mixed is None else np.add(mixed, part, out=mixed)
    return values if mixed is None else mixed


@lru_cache(maxsize=64)
def linear_taps(n_in: int, n_out: int, step: float, *, smooth: bool = True) -> Taps:
    """Linear resampling of one axis: each new sample is a sum of few old ones, whose weights sum to 1.

    The centres of both extents lie upon each other and the first and last value go on beyond the ends, so a constant
    stays constant. When shrinking, the triangle is widened to the new spacing, so that fine detail is averaged
    instead of turning into false coarse detail.

    Args:
        n_in: Number of samples.
        n_out: Number of new samples.
        step: New spacing divided by the old one.
        smooth: Whether to widen the triangle when shrinking.

    Examples:
        >>> places, weights = linear_taps(4, 2, 2.0, smooth=False)
        >>> places.tolist(), weights.tolist()
        ([[0, 2], [1, 3]], [[0.5, 0.5], [0.5, 0.5]])
    """
    centres = _centres(n_in, n_out, step)
    reach = max(1.0, step) if smooth else 1.0
    places = np.floor(centres) + np.arange(-int(np.ceil(reach)), int(np.ceil(reach)) + 2)[:, None]
    weights = np.clip(1.0 - np.abs(places - centres) / reach, 0.0, None)
    used = weights.any(axis=1)
    weights = (weights[used] / weights.sum(axis=0)).astype(np.float32)
    taps = np.clip(places[used], 0, n_in - 1).astype(np.intp), weights
    for array in taps:
        array.flags.writeable = False
    return taps


def _nearest(n_in: int, n_out: int, step: float) -> NDArray[np.intp]:
    return np.clip(np.floor(_centres(n_in, n_out, step) + 0.5), 0, n_in - 1).astype(np.intp)


def _centres(n_in: int, n_out: int, step: float) -> NDArray[np.float64]:
    """Where the new samples lie, counted in old samples; rounded, so that a whole number is exactly one."""
    offsets = (np.arange(n_out, dtype=np.float64) - (n_out - 1) / 2) * step
    return np.round((n_in - 1) / 2 + offsets, 9)
