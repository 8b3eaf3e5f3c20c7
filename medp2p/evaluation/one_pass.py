"""All regions of a scan in one pass over it, tile by tile, so that neither time nor memory grows with their number.

A tile is read, scaled and clipped once; every region that touches it adds to its own sums. Where SSIM is masked
(voxels outside a region count as the low end of the window), a tile that lies in the region with its margin has the
map of the unmasked tile, and only the rim of a region is filtered again. It must never hold a map of the whole scan.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.maps import Map, maps_for
from medp2p.evaluation.metrics import MARGIN, WINDOW, Floats, Mask
from medp2p.evaluation.scored_region import Box, ScoredRegion, bounding_box

Array = NDArray[Any]
T = TypeVar("T")
TILE: Final = (24, 48, 128)
"""Voxels of a tile along the axes of the array, slowest first: with its margin it fits a second-level cache."""


@dataclass(frozen=True)
class View:
    """How a protocol looks at intensities.

    Attributes:
        low: Lower end of the window that PSNR and SSIM see; minus infinity where nothing is clipped.
        high: Its upper end.
        data_range: R of PSNR and SSIM.
        factor: What the prediction is multiplied by first.
        masked: SSIM sees the low end outside the region; otherwise it sees the whole image.
    """

    low: float
    high: float
    data_range: float
    factor: float = 1.0
    masked: bool = True

    def clip(self, values: Array, factor: float = 1.0) -> Floats:
        """Values in float64, scaled, clipped, and shifted so that the low end is 0."""
        scaled = self.scale(values, factor)
        if not np.isfinite(self.low):
            return scaled
        return np.asarray(np.clip(scaled, self.low, self.high) - self.low)

    def scale(self, values: Array, factor: float) -> Floats:
        """Values in float64 times the factor."""
        floats = values.astype(np.float64)
        return floats if factor == 1.0 else floats * factor


@dataclass
class Sums:
    """What one region adds up to.

    Attributes:
        voxels: Voxels of the region.
        absolute: Sum of |predicted - reference|, not clipped.
        signed: Sum of predicted - reference, not clipped.
        squared: Sum of squares of the difference of the clipped images.
        windows: Voxels of the region that have a complete SSIM window.
        similarity: Sum of SSIM over those.
    """

    voxels: int = 0
    absolute: float = 0.0
    signed: float = 0.0
    squared: float = 0.0
    windows: int = 0
    similarity: float = 0.0

    def add(self, other: "Sums") -> None:
        """Take in what another tile holds of the same region."""
        self.voxels += other.voxels
        self.absolute += other.absolute
        self.signed += other.signed
        self.squared += other.squared
        self.windows += other.windows
        self.similarity += other.similarity


def sums_of(
    predicted: Array,
    reference: Array,
    regions: Sequence[ScoredRegion],
    view: View,
    *,
    threads: int | None = None,
    similarity: bool = True,
) -> list[Sums]:
    """The sums of every region, in their order.

    Args:
        predicted: Synthetic scan, shape (X, Y, Z), any number type.
        reference: Acquired scan on the same grid.
        regions: What to score; a region without a voxel gets zeros.
        view: Window, data range and factor of the protocol.
        threads: How many tiles are worked on at once; None takes what `default_threads` says. No effect on the result.
        similarity: Whether to add up SSIM, which takes nearly all of the time.

    Returns:
        Equal within rounding to the formulae evaluated region by region on the whole arrays.
    """
    axes = slowest_first(reference)
    predicted, reference = predicted.transpose(axes), reference.transpose(axes)
    turned = [region.turned(axes) for region in regions]
    totals = [Sums() for _ in regions]

    ssim = maps_for(reference.size).ssim if similarity else None

    def of_tile(tile: Box) -> list[tuple[int, Sums]]:
        return list(_tile_sums(predicted, reference, turned, view, tile, ssim))

    for found in over(of_tile, tiles(tuple(slice(0, n) for n in reference.shape)), threads):
        for index, sums in found:
            totals[index].add(sums)
    return totals


def _tile_sums(
    predicted: Array, reference: Array, regions: Sequence[ScoredRegion], view: View, tile: Box, ssim: Map | None
) -> Iterator[tuple[int, Sums]]:
    """The sums of each region that has a voxel in a tile."""
    touching = [(i, region) for i, region in enumerate(regions) if _overlap(region.box, tile)]
    if not touching:
        return
    outer = widened(tile, reference.shape)
    inner = _inside(tile, outer)
    windows = None if ssim is None else complete_windows(tile, reference.shape)
    first, second = view.clip(predicted[outer], view.factor), view.clip(reference[outer])
    error = view.scale(predicted[tile], view.factor) - reference[tile].astype(np.float64)
    clipped_error = first[inner] - second[inner]
    whole: list[Floats] = []
    for index, region in touching:
        around = region.read(outer)
        here = around[inner]
        if not here.any():
            continue
        sums = _error_sums(error, clipped_error, here)
        if ssim is not None and windows is not None:
            scored = here[_inside(windows, tile)]
            if not view.masked or around.all():
                whole = whole or [ssim(first, second, data_range=view.data_range)[_core(windows, outer)]]
                sums.similarity = float(whole[0].sum() if scored.all() else whole[0][scored].sum())
                sums.windows = int(np.count_nonzero(scored))
            else:
                sums.windows, sums.similarity = _rim_similarity(
                    ssim, first, second, around, scored, windows, outer, view
                )
        yield index, sums


def _error_sums(error: Floats, clipped_error: Floats, here: Mask) -> Sums:
    if not here.all():
        error, clipped_error = error[here], clipped_error[here]
    return Sums(
        voxels=error.size,
        absolute=float(np.abs(error).sum()),
        signed=float(error.sum()),
        squared=float(np.square(clipped_error).sum()),
    )


def _rim_similarity(
    ssim: Map, first: Floats, second: Floats, around: Mask, scored: Mask, windows: Box, outer: Box, view: View
) -> tuple[int, float]:
    """Number and sum of SSIM where a region covers a part of a tile: filtered on the box around that part only."""
    box = bounding_box(scored)
    if box is None:
        return 0, 0.0
    core = _core(windows, outer)
    needed = tuple(slice(c.start + b.start, c.start + b.stop + 2 * MARGIN) for c, b in zip(core, box, strict=True))
    mask = around[needed]
    similarity = ssim(first[needed] * mask, second[needed] * mask, data_range=view.data_range)[scored[box]]
    return similarity.size, float(similarity.sum())


def tiles(box: Box, size: Sequence[int] = TILE) -> Iterator[Box]:
    """Boxes that cover a box once.

    Examples:
        >>> len(list(tiles((slice(0, 33), slice(9, 73), slice(0, 65)))))
        4
    """
    starts = [range(whole.start, whole.stop, edge) for whole, edge in zip(box, size, strict=True)]
    for corner in product(*starts):
        yield tuple(slice(c, min(c + edge, s.stop)) for c, edge, s in zip(corner, size, box, strict=True))


def widened(tile: Box, shape: Sequence[int]) -> Box:
    """A tile with the margin that its windows need, as far as the array reaches."""
    return tuple(slice(max(s.start - MARGIN, 0), min(s.stop + MARGIN, n)) for s, n in zip(tile, shape, strict=True))


def complete_windows(tile: Box, shape: Sequence[int]) -> Box | None:
    """The part of a tile whose windows lie in the array; None where there is none."""
    part = tuple(slice(max(s.start, MARGIN), min(s.stop, n - MARGIN)) for s, n in zip(tile, shape, strict=True))
    return part if all(s.start < s.stop for s in part) and min(shape) >= WINDOW else None


def _core(windows: Box, outer: Box) -> Box:
    """Where the voxels with complete windows lie in the map of the widened tile, which lacks its margin."""
    return tuple(
        slice(w.start - o.start - MARGIN, w.stop - o.start - MARGIN) for w, o in zip(windows, outer, strict=True)
    )


def _inside(part: Box, whole: Box) -> Box:
    return tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, whole, strict=True))


def _overlap(box: Box | None, tile: Box) -> bool:
    return box is not None and all(b.start < t.stop and t.start < b.stop for b, t in zip(box, tile, strict=True))


def slowest_first(array: Array) -> tuple[int, ...]:
    """Order of axes in which an array is walked along its memory; the metrics do not mind how a scan is turned."""
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return tuple(order)


def over(work: Callable[[Box], T], boxes: Iterator[Box], threads: int | None = None) -> Iterator[T]:
    """The work's answers in the order of the boxes, some boxes at a time: filters leave Python's lock alone."""
    count = threads or default_threads()
    if count == 1:
        yield from map(work, boxes)
        return
    with ThreadPoolExecutor(count) as pool:
        yield from pool.map(work, boxes)


def default_threads() -> int:
    """At most four, at most as many as this process may use, and as OMP_NUM_THREADS allows."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(allowed, 4, int(asked) if asked.isdigit() and int(asked) else 4))
