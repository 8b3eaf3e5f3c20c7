"""Multi-scale SSIM over one region, as the SynthRAD2025 container computes it, including what its weights really do."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.metrics import MARGIN, Floats, Mask, three_terms
from medp2p.evaluation.one_pass import View, complete_windows, over, slowest_first, tiles, widened
from medp2p.evaluation.scored_region import Box, ScoredRegion, bounding_box

Array = NDArray[Any]
Read = Callable[[Box], Floats]
WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of luminance, contrast and structure at every level. Wang 2003 uses luminance at the last level only; the
container means to, but its switch is never reached."""
SMALLEST: Final = 97
"""Shorter axes are padded to this with their edge: 97 halves four times to 7, one window."""
LAST: Final = 2 ** (len(WEIGHTS) - 1)


def ms_ssim(
    predicted: Array, reference: Array, region: ScoredRegion, view: View, *, threads: int | None = None
) -> float:
    """MS-SSIM of one region.

    Args:
        predicted: Synthetic scan, shape (X, Y, Z).
        reference: Acquired scan on the same grid.
        region: Where it is scored; outside it both images are the low end of the window.
        view: Window, data range and factor of the protocol.
        threads: As for `sums_of`.

    Returns:
        Between 0 and 1; NaN where `left_at_last_level` is False, since the mean over no voxel is none.

    Source:
        SynthRAD2025/evaluation, image_metrics.py at 17cac47.
    """
    if not left_at_last_level(region, reference.shape):
        return float("nan")
    axes = slowest_first(reference)
    widths = _padding([reference.shape[axis] for axis in axes])
    mask = region.read(...).transpose(axes)
    given, wanted, mask = (
        np.pad(array, widths, mode="edge") if any(map(any, widths)) else array
        for array in (predicted.transpose(axes), reference.transpose(axes), mask)
    )

    first, second = _masked(given, mask, view, view.factor), _masked(wanted, mask, view, 1.0)
    result, shape = 1.0, mask.shape
    for level, weight in enumerate(WEIGHTS):
        if level:
            first, second = (_reader(_halved(read, shape)) for read in (first, second))
            mask = mask[::2, ::2, ::2]
            shape = mask.shape
        value = _level(first, second, mask, weight, view.data_range, threads)
        result *= float(np.clip(value, 0, 1))
    return result


def left_at_last_level(region: ScoredRegion, shape: tuple[int, ...]) -> bool:
    """Whether a voxel of the region is left after four halvings and the crop by half a window.

    The coarser levels take every 2nd, 4th, 8th and 16th voxel, and what the last one has, all have.
    """
    if region.box is None:
        return False
    places = []
    for length, (before, after) in zip(shape, _padding(shape), strict=True):
        kept = np.arange(0, length + before + after, LAST)[MARGIN:-MARGIN]
        places.append(np.clip(kept - before, 0, length - 1))
    return bool(region.read(np.ix_(*places)).any())


def _padding(shape: "tuple[int, ...] | list[int]") -> list[tuple[int, int]]:
    short = [max(SMALLEST - length, 0) for length in shape]
    return [(lacking // 2, lacking - lacking // 2) for lacking in short]


def _level(
    first: Read,
    second: Read,
    mask: Mask,
    weight: float,
    data_range: float,
    threads: int | None,
) -> float:
    """Mean over the mask of one level's map, tile by tile, where windows are complete."""

    def of_tile(tile: Box) -> tuple[int, float]:
        windows = complete_windows(tile, mask.shape)
        part = None if windows is None else bounding_box(mask[windows])
        if windows is None or part is None:
            return 0, 0.0
        counted = tuple(slice(w.start + p.start, w.start + p.stop) for w, p in zip(windows, part, strict=True))
        outer = widened(counted, mask.shape)
        terms = three_terms(first(outer), second(outer), data_range=data_range)[mask[counted]]
        return terms.size, float(np.power(terms, weight).sum())

    found = list(over(of_tile, tiles(mask.shape), threads))
    return sum(total for _, total in found) / sum(count for count, _ in found)


def _halved(read: Read, shape: tuple[int, ...]) -> Floats:
    """Every second voxel of the mean over 2 x 2 x 2 voxels that ends in it, zeros before the array.

    This is `fftconvolve(image, ones((2, 2, 2)) / 8, mode="same")[::2, ::2, ::2]`, in slabs and without the rounding
    of a Fourier transform.
    """
    x, y, z = shape
    half = np.empty(((x + 1) // 2, (y + 1) // 2, (z + 1) // 2))
    step = 8
    for start in range(0, half.shape[0], step):
        stop = min(start + step, half.shape[0])
        slab = read((slice(max(2 * start - 1, 0), 2 * stop - 1), slice(0, y), slice(0, z)))
        half[start:stop] = _pair_means(_pair_means(_pair_means(slab, 0, bool(start)), 1), 2)
    return half


def _pair_means(values: Floats, axis: int, has_one_before: bool = False) -> Floats:
    """Mean of every second value and the one before it; before the first stands 0 unless one is given."""
    values = np.moveaxis(values, axis, 0)
    if has_one_before:
        means = 0.5 * (values[1::2] + values[0::2][: len(values[1::2])])
    else:
        means = 0.5 * values[0::2]
        means[1:] += 0.5 * values[1::2][: len(means) - 1]
    return np.moveaxis(means, 0, axis)


def _masked(scan: Array, mask: Mask, view: View, factor: float) -> Read:
    """A scan as the first level sees it: clipped, shifted, and 0 outside the region."""
    return lambda box: np.asarray(view.clip(scan[box], factor) * mask[box])


def _reader(values: Floats) -> Read:
    return lambda box: values[box]
