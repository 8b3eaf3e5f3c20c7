"""Tiles of a scan: boxes that are looked at one after the other or some at a time, and how they lie in each other."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from math import prod
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from medp2p.cores import usable_cores
from medp2p.evaluation.scored_region import Box
from medp2p.evaluation.windows import MARGIN, WINDOW

Array = NDArray[Any]
P = TypeVar("P")
T = TypeVar("T")
TILE: Final = (32, 32, 512)
"""Voxels of a tile along the axes of the array, slowest first: few margins, whole rows, and maps of some megabytes."""
_HELD_BYTES: Final = 32 << 20


def tiles(box: Box, size: Sequence[int] = TILE) -> Iterator[Box]:
    """Boxes that cover a box once.

    Examples:
        >>> len(list(tiles((slice(0, 17), slice(9, 73), slice(0, 65)), (16, 32, 128))))
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


def core(windows: Box, outer: Box) -> Box:
    """Where the voxels with complete windows lie in the map of the widened tile, which lacks its margin."""
    return tuple(
        slice(w.start - o.start - MARGIN, w.stop - o.start - MARGIN) for w, o in zip(windows, outer, strict=True)
    )


def inside(part: Box, whole: Box) -> Box:
    """Where a box lies in one around it."""
    return tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, whole, strict=True))


def common(box: Box | None, tile: Box) -> Box:
    """The part of a tile in a box that it overlaps."""
    return tuple(slice(max(b.start, t.start), min(b.stop, t.stop)) for b, t in zip(box or tile, tile, strict=True))


def touching_boxes(boxes: Sequence[Box | None]) -> Callable[[Box], list[int]]:
    """A function that gives the numbers of the boxes that a tile overlaps, in one step for all of them."""
    numbers = np.array([number for number, box in enumerate(boxes) if box is not None], np.int64)
    ends = np.array([[(s.start, s.stop) for s in box] for box in boxes if box is not None], np.int64)

    def touching(tile: Box) -> list[int]:
        if not numbers.size:
            return []
        first, last = [s.start for s in tile], [s.stop for s in tile]
        found: list[int] = numbers[((ends[..., 0] < last) & (ends[..., 1] > first)).all(axis=1)].tolist()
        return found

    return touching


def voxels(box: Box) -> int:
    """How many voxels a box has."""
    return prod(s.stop - s.start for s in box)


def slowest_first(array: Array) -> tuple[int, ...]:
    """Order of axes in which an array is walked along its memory; the metrics do not mind how a scan is turned."""
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return tuple(order)


def over(work: Callable[[P], T], pieces: Iterable[P], threads: int | None = None) -> Iterator[T]:
    """The work's answers in the order of the pieces, some at a time: filters leave Python's lock alone."""
    count = threads or default_threads()
    hold_small_arrays()
    if count == 1:
        yield from map(work, pieces)
        return
    with ThreadPoolExecutor(count) as pool:
        yield from pool.map(work, pieces)


def hold_small_arrays() -> None:
    """Let the C library keep the arrays of a tile when they are freed, instead of asking for each anew, page by page.

    glibc gives back what is freed beyond a limit, which is twice the largest block that was freed before, up to 32 MB.
    """
    np.empty(_HELD_BYTES - (1 << 16), np.uint8)


def default_threads() -> int:
    """At most four, at most as many as this process may use, and as OMP_NUM_THREADS allows."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(usable_cores(), 4, int(asked) if asked.isdigit() and int(asked) else 4))
