"""All regions of a scan in one pass over it, tile by tile, so that neither time nor memory grows with their number.

A tile is read, scaled and clipped once; every region that touches it adds to its own sums. Where SSIM is masked
(voxels outside a region count as the low end of the window), a tile that lies in the region with its margin has the
map of the unmasked tile, and only the rim of a region is filtered again. It must never hold a map of the whole scan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.maps import Map, maps_for
from medp2p.evaluation.metrics import Floats, Mask
from medp2p.evaluation.scored_region import Box, ScoredRegion, bounding_box
from medp2p.evaluation.tiling import (
    common,
    complete_windows,
    core,
    inside,
    over,
    slowest_first,
    tiles,
    touching_boxes,
    voxels,
    widened,
)
from medp2p.evaluation.windows import CENTRE, MARGIN

Array = NDArray[Any]
ALONE: Final = 1 << 18
"""Voxels of a region's box up to which it is looked at in one piece: cut at tiles, it would have more margins than
voxels of its own."""
_PIECE: Final = 1 << 14
"""Voxels whose errors are added up at once: what is made of them stays in a first- or second-level cache."""


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

    def number_type(self, predicted: Array, reference: Array) -> "np.dtype[Any]":
        """int32 where every value stays a small integer, as in HU: exact, and half the memory; else float64."""
        small = all(array.dtype.kind in "ui" and array.dtype.itemsize <= 2 for array in (predicted, reference))
        ends = float(self.low).is_integer() and float(self.high).is_integer() and self.high - self.low < 2 * CENTRE
        return np.dtype(np.int32 if small and ends and self.factor == 1.0 else np.float64)

    def numbers(self, values: Array, kind: "np.dtype[Any]", factor: float = 1.0) -> Array:
        """Values times the factor, in an array of their own."""
        found = values.astype(kind)
        if factor != 1.0:
            found *= factor
        return found

    def clip(self, numbers: Array) -> Array:
        """Numbers clipped to the window and shifted so that its low end is 0; they are overwritten."""
        if np.isfinite(self.low):
            low, high = (numbers.dtype.type(end) for end in (self.low, self.high))
            np.clip(numbers, low, high, out=numbers)
            numbers -= low
        return numbers


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
    small = {index: region.box for index, region in enumerate(turned)
             if view.masked and region.box is not None and voxels(region.box) <= ALONE}  # fmt: skip
    touching = touching_boxes([None if index in small else region.box for index, region in enumerate(turned)])
    ssim = maps_for(reference.size).ssim if similarity else None

    def of_tile(job: tuple[Box, Sequence[int]]) -> list[tuple[int, Sums]]:
        tile, near = job
        return list(_tile_sums(predicted, reference, [(index, turned[index]) for index in near], view, tile, ssim))

    pieces = ((tile, touching(tile)) for tile in tiles(tuple(slice(0, n) for n in reference.shape)))
    for found in over(of_tile, chain(pieces, ((box, (index,)) for index, box in small.items())), threads):
        for index, sums in found:
            totals[index].add(sums)
    return totals


def _tile_sums(
    predicted: Array,
    reference: Array,
    near: Sequence[tuple[int, ScoredRegion]],
    view: View,
    tile: Box,
    ssim: Map | None,
) -> Iterator[tuple[int, Sums]]:
    """The sums of each region that has a voxel in a tile, with its number; `near` are those that can have one."""
    if not near:
        return
    outer = widened(tile, reference.shape)
    inner = inside(tile, outer)
    kind = view.number_type(predicted, reference)
    first, second = view.numbers(predicted[outer], kind, view.factor), view.numbers(reference[outer], kind)
    error = first[inner] - second[inner]
    first, second = view.clip(first), view.clip(second)
    clipped_error = first[inner] - second[inner]
    whole: list[Floats] = []
    for index, region in near:
        part = common(region.box, tile)
        reach = widened(part, reference.shape)
        around = region.read(reach)
        here, there = around[inside(part, reach)], inside(part, tile)
        if not here.any():
            continue
        sums = _error_sums(error[there], clipped_error[there], here)
        windows = complete_windows(part, reference.shape)
        if ssim is not None and windows is not None:
            scored = around[inside(windows, reach)]
            if not view.masked or around.all():
                whole = whole or [ssim(first, second, data_range=view.data_range)]
                similarity = whole[0][core(windows, outer)]
            else:
                scored, similarity = _rim(ssim, first, second, around, scored, windows, reach, outer, view)
            sums.windows = int(np.count_nonzero(scored))
            sums.similarity = float(similarity.sum() if scored.all() else similarity[scored].sum())
        yield index, sums


def _error_sums(error: Array, clipped_error: Array, here: Mask) -> Sums:
    if not here.all():
        error, clipped_error = error[here], clipped_error[here]
    total = np.float64 if error.dtype.kind == "f" else np.int64
    sums, error, clipped_error = Sums(voxels=error.size), error.reshape(-1), clipped_error.reshape(-1)
    for start in range(0, error.size, _PIECE):
        part, clipped = error[start : start + _PIECE], clipped_error[start : start + _PIECE]
        sums.absolute += float(np.abs(part).sum(dtype=total))
        sums.signed += float(part.sum(dtype=total))
        sums.squared += float(np.square(clipped).sum(dtype=total))
    return sums


def _rim(
    ssim: Map,
    first: Array,
    second: Array,
    around: Mask,
    scored: Mask,
    windows: Box,
    reach: Box,
    outer: Box,
    view: View,
) -> tuple[Mask, Floats]:
    """Where a region covers a part of a tile, and the map there: filtered on the box around that part only."""
    box = bounding_box(scored)
    if box is None:
        return scored[:0], np.empty(0)
    counted = tuple(slice(w.start + b.start, w.start + b.stop) for w, b in zip(windows, box, strict=True))
    needed = tuple(slice(c.start - MARGIN, c.stop + MARGIN) for c in counted)
    mask, there = around[inside(needed, reach)], inside(needed, outer)
    return scored[box], ssim(first[there] * mask, second[there] * mask, data_range=view.data_range)
