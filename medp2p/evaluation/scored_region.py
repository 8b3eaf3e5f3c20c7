"""ScoredRegion: one region to score, read box by box out of label maps and masks that are held once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.regions import BACKGROUND, Regions

Box = tuple[slice, ...]
Mask = NDArray[np.bool_]
_CHUNK = 1 << 21
"""Voxels of a label map that are looked at in one step."""


@dataclass(frozen=True, eq=False)
class ScoredRegion:
    """One region: the union of `parts`, cut to `within`, without `without`.

    Attributes:
        name: As it stands in the scores.
        label: Its number in the label map, None for unions and masks.
        parts: Arrays of shape (X, Y, Z) with the value that belongs to the region: a label, or True of a mask.
        box: Where the parts lie; None where they have no voxel.
        within: Mask that the region is cut to, or None.
        without: Regions that are taken out of it.
    """

    name: str
    label: int | None
    parts: tuple[tuple[NDArray[Any], int | bool], ...]
    box: Box | None
    within: Mask | None = None
    without: tuple["ScoredRegion", ...] = field(default=())

    def read(self, where: Any) -> Mask:
        """The mask of the region at an index into its arrays, such as a tuple of slices."""
        (array, value), *others = self.parts
        found = np.array(array[where]) if value is True else array[where] == value
        for array, value in others:
            found |= array[where] if value is True else array[where] == value
        if self.within is not None:
            found &= self.within[where]
        for other in self.without:
            found &= ~other.read(where)
        return np.asarray(found)

    def why_empty(self) -> str:
        """The reason of a region without a voxel to score."""
        if self.box is None:
            return "the region holds no voxel in this case"
        if self.within is not None:
            return "no voxel of the region lies in the body"
        return "no voxel is left outside the weighted regions" if self.without else "the region holds no voxel"

    def turned(self, axes: Sequence[int]) -> "ScoredRegion":
        """The same region in arrays whose axes are transposed."""
        return ScoredRegion(
            self.name,
            self.label,
            tuple((array.transpose(axes), value) for array, value in self.parts),
            None if self.box is None else tuple(self.box[axis] for axis in axes),
            None if self.within is None else self.within.transpose(axes),
            tuple(other.turned(axes) for other in self.without),
        )


def of_mask(name: str, mask: Mask, within: Mask | None = None, label: int | None = None) -> ScoredRegion:
    """A region given as a mask of shape (X, Y, Z)."""
    return ScoredRegion(name, label, ((mask, True),), bounding_box(mask), within)


def of_labels(
    regions: Regions, within: Mask | None, placed: Sequence[NDArray[Any]] | None = None
) -> Iterator[ScoredRegion]:
    """Every region and group of label maps, in the order of `region_names`, without building their masks.

    Args:
        regions: The label maps and their names.
        within: Mask that every region is cut to.
        placed: The maps' labels on the grid to score on, where that is another than their own.
    """
    maps = [layer.labels for layer in regions.layers] if placed is None else placed
    boxes = [_label_boxes(labels) for labels in maps]
    for name in regions.region_names:
        labelled = [
            (labels, label, box.get(label))
            for layer, labels, box in zip(regions.layers, maps, boxes, strict=True)
            for label, called in layer.names.items()
            if called in regions.groups.get(name, (name,)) and label and called != BACKGROUND
        ]
        parts = tuple((labels, label) for labels, label, _ in labelled)
        yield ScoredRegion(name, regions.label_of(name), parts, union_box([box for *_, box in labelled]), within)


def union(name: str, regions: Sequence[ScoredRegion], within: Mask | None) -> ScoredRegion:
    """The union of several regions under another name."""
    parts = tuple(part for region in regions for part in region.parts)
    return ScoredRegion(name, None, parts, union_box([region.box for region in regions]), within)


def bounding_box(mask: Mask) -> Box | None:
    """The smallest box that holds every voxel of a mask; None where it has none.

    Examples:
        >>> bounding_box(np.array([[[False, True, True, False]]]))
        (slice(0, 1, None), slice(0, 1, None), slice(1, 3, None))
    """
    box = []
    for axis in range(mask.ndim):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if not hit.size:
            return None
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(box)


def union_box(boxes: Sequence[Box | None]) -> Box | None:
    """The smallest box around several; None where none of them is a box."""
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    return tuple(slice(min(s.start for s in axis), max(s.stop for s in axis)) for axis in zip(*found, strict=True))


def _label_boxes(labels: NDArray[Any]) -> Mapping[int, Box]:
    """Where each label of a map lies, from one walk over the map along its memory."""
    axes = sorted(range(labels.ndim), key=lambda axis: -abs(labels.strides[axis]))
    walked = labels.transpose(axes)
    step = max(1, _CHUNK // max(1, walked[0].size))
    ends: dict[int, NDArray[np.int64]] = {}
    for start in range(0, len(walked), step):
        for label, found in _ends_of_labels(walked[start : start + step]):
            found[:, 0] += start
            known = ends.setdefault(label, found)
            np.minimum(known[0], found[0], out=known[0])
            np.maximum(known[1], found[1], out=known[1])
    order = np.argsort(axes)
    return {label: tuple(slice(int(low[a]), int(high[a]) + 1) for a in order) for label, (low, high) in ends.items()}


def _ends_of_labels(planes: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """First and last index of each label along the three axes, shape (2, 3); from runs of one label within a row."""
    begins = np.ones(planes.shape, bool)
    np.not_equal(planes[..., 1:], planes[..., :-1], out=begins[..., 1:])
    first = np.flatnonzero(begins)
    values = planes[np.unravel_index(first, planes.shape)]
    last = np.append(first[1:], planes.size) - 1
    of_label = values != 0
    values, first, last = values[of_label], first[of_label], last[of_label]
    if not values.size:
        return
    order = np.argsort(values, kind="stable")
    values = values[order]
    groups = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    low = [np.minimum.reduceat(at[order], groups) for at in np.unravel_index(first, planes.shape)]
    high = [np.maximum.reduceat(at[order], groups) for at in np.unravel_index(last, planes.shape)]
    yield from zip(values[groups].tolist(), np.array([low, high]).transpose(2, 0, 1), strict=True)
