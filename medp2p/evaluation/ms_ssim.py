"""Multi-scale SSIM over one region, as the SynthRAD2025 container computes it, including what its weights really do.

Every level is computed on the box around the region only: outside it both images are 0 at every scale.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.maps import Map, maps_for
from medp2p.evaluation.metrics import Floats, Mask
from medp2p.evaluation.one_pass import View
from medp2p.evaluation.scored_region import Box, ScoredRegion, bounding_box
from medp2p.evaluation.tiling import complete_windows, over, slowest_first, tiles, widened
from medp2p.evaluation.windows import MARGIN

Array = NDArray[Any]
WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of luminance, contrast and structure at every level. Wang 2003 uses luminance at the last level only; the
container means to, but its switch is never reached."""
SMALLEST: Final = 97
"""Shorter axes are padded to this with their edge: 97 halves four times to 7, one window."""
LAST: Final = 2 ** (len(WEIGHTS) - 1)
_SLAB: Final = 8
"""Planes of a coarser level that are made at once."""


@dataclass(frozen=True, eq=False)
class _Level:
    """Both images at one scale.

    Attributes:
        shape: Voxels of the whole scan at this scale.
        box: Where the images are not 0.
        pair: Reads both images in a box of this scale.
        mask: Reads the region in a box of this scale.
    """

    shape: tuple[int, ...]
    box: Box
    pair: Callable[[Box], tuple[Array, Array]]
    mask: Callable[[Box], Mask]


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
    level = _first_level(predicted.transpose(axes), reference.transpose(axes), region.turned(axes), view)
    result, terms = 1.0, maps_for(reference.size).terms
    for number, weight in enumerate(WEIGHTS):
        if number:
            level = _coarser(level)
        result *= float(np.clip(_mean(level, terms, weight, view.data_range, threads), 0, 1))
    return result


def left_at_last_level(region: ScoredRegion, shape: tuple[int, ...]) -> bool:
    """Whether a voxel of the region is left after four halvings and the crop by half a window.

    The coarser levels take every 2nd, 4th, 8th and 16th voxel, and what the last one has, all have.
    """
    if region.box is None:
        return False
    frame = _Padding(shape)
    kept = (range(0, length, LAST)[MARGIN:-MARGIN] for length in frame.padded)
    return bool(region.read(np.ix_(*map(frame.places, range(len(shape)), kept))).any())


@dataclass(frozen=True)
class _Padding:
    """A scan whose short axes are padded with their edge, read without making it.

    Attributes:
        shape: Of the scan as it is.
    """

    shape: tuple[int, ...]

    @property
    def padded(self) -> tuple[int, ...]:
        """The shape with padding."""
        return tuple(max(length, SMALLEST) for length in self.shape)

    def before(self, axis: int) -> int:
        """Voxels of padding before the first."""
        return max(SMALLEST - self.shape[axis], 0) // 2

    def places(self, axis: int, padded: range) -> NDArray[np.int64]:
        """The voxels of the scan that stand at some places of the padded one."""
        return np.asarray(np.clip(np.asarray(padded) - self.before(axis), 0, self.shape[axis] - 1), np.int64)

    def index(self, box: Box) -> Any:
        """What to index the scan with to get a box of the padded one; slices, and so a view, where it can be."""
        if all(self.padded[axis] == length for axis, length in enumerate(self.shape)):
            return box
        return np.ix_(*(self.places(axis, range(s.start, s.stop)) for axis, s in enumerate(box)))

    def around(self, box: Box) -> Box:
        """A box of the scan in the padded one; what touches an end is repeated in the padding."""
        return tuple(
            slice(s.start + self.before(axis) if s.start else 0,
                  s.stop + self.before(axis) if s.stop < self.shape[axis] else self.padded[axis])
            for axis, s in enumerate(box)
        )  # fmt: skip


def _first_level(predicted: Array, reference: Array, region: ScoredRegion, view: View) -> _Level:
    """The scans clipped and shifted, 0 outside the region; nothing is made before it is read."""
    frame, kind = _Padding(reference.shape), view.number_type(predicted, reference)

    def pair(box: Box) -> tuple[Array, Array]:
        index = frame.index(box)
        mask = region.read(index)
        first = view.numbers(predicted[index], kind, view.factor)
        return view.clip(first) * mask, view.clip(view.numbers(reference[index], kind)) * mask

    return _Level(frame.padded, frame.around(region.box or ()), pair, lambda box: region.read(frame.index(box)))


def _coarser(level: _Level) -> _Level:
    """The next scale: every second voxel of the mean over 2 x 2 x 2 voxels that ends in it, zeros before the scan.

    This is `fftconvolve(image, ones((2, 2, 2)) / 8, mode="same")[::2, ::2, ::2]`, in slabs and without the rounding
    of a Fourier transform; of the mask it is every second voxel.
    """
    shape = tuple((n + 1) // 2 for n in level.shape)
    box = tuple(slice(s.start // 2, min(s.stop // 2 + 1, n)) for s, n in zip(level.box, shape, strict=True))
    size = tuple(s.stop - s.start for s in box)
    first, second, region = np.empty(size), np.empty(size), np.empty(size, bool)
    for start in range(box[0].start, box[0].stop, _SLAB):
        part = (slice(start, min(start + _SLAB, box[0].stop)), *box[1:])
        there = slice(part[0].start - box[0].start, part[0].stop - box[0].start)
        first[there], second[there] = map(_halved, _with_zeros_before(level, part))
        region[there] = level.mask(tuple(slice(2 * s.start, 2 * s.stop - 1) for s in part))[::2, ::2, ::2]

    def pair(wanted: Box) -> tuple[Floats, Floats]:
        return _cut(first, box, wanted), _cut(second, box, wanted)

    return _Level(shape, box, pair, lambda wanted: _cut(region, box, wanted))


def _with_zeros_before(level: _Level, part: Box) -> tuple[Array, Array]:
    """What a part of the coarser level is made of: 2 n voxels for n, the first one 0 where the scan begins."""
    wanted = tuple(
        slice(max(2 * s.start - 1, 0), min(2 * s.stop - 1, n)) for s, n in zip(part, level.shape, strict=True)
    )
    widths = [(1 if s.start == 0 else 0, 0) for s in part]
    first, second = level.pair(wanted)
    return np.pad(first, widths), np.pad(second, widths)


def _halved(values: Array) -> Floats:
    """Means over blocks of 2 x 2 x 2."""
    values = values[0::2] + values[1::2]
    values = values[:, 0::2] + values[:, 1::2]
    return np.asarray((values[:, :, 0::2] + values[:, :, 1::2]) / 8)


def _cut(values: Array, box: Box, wanted: Box) -> Array:
    """A box of an image or mask that is held on another box, and 0 elsewhere."""
    found = np.zeros(tuple(s.stop - s.start for s in wanted), values.dtype)
    both = [(max(b.start, w.start), min(b.stop, w.stop)) for b, w in zip(box, wanted, strict=True)]
    if all(start < stop for start, stop in both):
        here = tuple(slice(a - w.start, z - w.start) for (a, z), w in zip(both, wanted, strict=True))
        there = tuple(slice(a - b.start, z - b.start) for (a, z), b in zip(both, box, strict=True))
        found[here] = values[there]
    return found


def _mean(level: _Level, terms: Map, weight: float, data_range: float, threads: int | None) -> float:
    """Mean over the region of one level's map, tile by tile, where windows are complete."""

    def of_tile(tile: Box) -> tuple[int, float]:
        windows = complete_windows(tile, level.shape)
        part = None if windows is None else bounding_box(level.mask(windows))
        if windows is None or part is None:
            return 0, 0.0
        counted = tuple(slice(w.start + p.start, w.start + p.stop) for w, p in zip(windows, part, strict=True))
        found = terms(*level.pair(widened(counted, level.shape)), data_range=data_range)[level.mask(counted)]
        return found.size, float(np.power(found, weight).sum())

    means = list(over(of_tile, tiles(level.box), threads))
    return sum(total for _, total in means) / sum(count for count, _ in means)
