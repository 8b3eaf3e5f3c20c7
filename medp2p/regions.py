"""Regions: label maps with names, from which anatomical masks and the weight map of the loss are made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medp2p.affine import CORNER_TOLERANCE_MM, checked_affine, corner_distance_mm
from medp2p.errors import GeometryError, RegionError
from medp2p.nearest import nearest

INTEGER_TOLERANCE = 1e-3
"""A label within this of an integer is that integer: rounding noise of a float map."""
BACKGROUND = "background"
_MOST_UNNAMED = 512  # the finest parcellations of a brain have some 400 labels
_LARGEST_LABEL = 2**31 - 1
_CHUNK = 2**20

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Layer:
    """One label map: integers of shape (X, Y, Z), and the name of each."""

    labels: Labels
    names: Mapping[int, str]


@dataclass(frozen=True, eq=False)
class Regions:
    """Anatomical regions of one scan.

    Args:
        labels: Label map, shape (X, Y, Z); a float map is taken where every value is an integer up to rounding noise.
        affine: 4 x 4, RAS+, mm: the grid of the scan.
        names: Name of each label; one name for several labels is their union. None: each label is called by its
            number. A label of the map without a name is refused; 0 is background, named or not.
        groups: Names of unions of regions, each with the names it joins.

    Raises:
        RegionError: A label that has no name, is no integer, is negative or above 2^31 - 1; a group without a region.
        GeometryError: The labels are no volume, or the affine is none.

    Examples:
        >>> head = Regions(np.array([[[0, 1, 2]]]), np.eye(4), {1: "brain", 2: "bone"})
        >>> head.mask("bone").tolist(), head.weight_map({"bone": 4.0}).tolist()
        ([[[False, False, True]]], [[[1.0, 1.0, 4.0]]])
    """

    layers: tuple[Layer, ...]
    affine: NDArray[np.float64]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __init__(
        self,
        labels: ArrayLike,
        affine: ArrayLike,
        names: Mapping[int, str] | None = None,
        *,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        whole = integer_labels(np.asarray(labels))
        self._take((Layer(whole, _checked_names(whole, names)),), checked_affine(affine), groups or {})

    def _take(
        self, layers: tuple[Layer, ...], affine: NDArray[np.float64], groups: Mapping[str, Sequence[str]]
    ) -> None:
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "groups", {name: tuple(members) for name, members in groups.items()})
        for name, members in self.groups.items():
            for member in members:
                if member not in self._names():
                    raise unknown_region(member, self._names(), key=f"group {name}")

    @classmethod
    def combine(cls, first: "Regions", *others: "Regions") -> "Regions":
        """Several label maps on one grid, each a layer of its own, so that their masks may overlap.

        Raises:
            GeometryError: The grids differ.
        """
        for other in others:
            apart = corner_distance_mm(first.shape, first.affine, other.affine)
            if other.shape != first.shape or apart > CORNER_TOLERANCE_MM:
                raise GeometryError(
                    None,
                    "label maps on different grids",
                    found=f"{other.shape}, {apart:.3g} mm apart",
                    expected=first.shape,
                    fix="resample them onto the scan's grid",
                )
        together = cls.__new__(cls)
        everything = (first, *others)
        groups = {name: members for regions in everything for name, members in regions.groups.items()}
        together._take(tuple(layer for regions in everything for layer in regions.layers), first.affine, groups)
        return together

    def on_grid(self, place: Callable[[Labels], Labels], affine: ArrayLike) -> "Regions":
        """The same regions on another grid, each label map as `place` puts it there; it must make no new label."""
        moved = type(self).__new__(type(self))
        layers = tuple(Layer(place(layer.labels), layer.names) for layer in self.layers)
        moved._take(layers, checked_affine(affine), self.groups)
        return moved

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of voxels along each axis."""
        return self.layers[0].labels.shape

    @property
    def labels(self) -> Labels:
        """The label map, where there is one layer."""
        return self._only_layer().labels

    @property
    def names(self) -> Mapping[int, str]:
        """The name of each label, where there is one layer."""
        return self._only_layer().names

    @property
    def region_names(self) -> tuple[str, ...]:
        """Every region once, in the order of layers and labels, then groups; never the background."""
        named = [name for layer in self.layers for label, name in sorted(layer.names.items()) if label]
        return tuple(dict.fromkeys(name for name in (*named, *self.groups) if name != BACKGROUND))

    def label_of(self, name: str) -> int | None:
        """The label of a region, where it is one label of one layer; None for unions, groups and separate files."""
        if len(self.layers) > 1:
            return None
        labels = [label for label, called in self.names.items() if called == name]
        return labels[0] if len(labels) == 1 else None

    def mask(self, name: str) -> NDArray[np.bool_]:
        """Where a region or group lies, shape (X, Y, Z).

        Raises:
            RegionError: No region has that name; the nearest known one is named.
        """
        if name in self.groups:
            return self._union([self.mask(member) for member in self.groups[name]])
        pairs = [(layer, label) for layer in self.layers for label, called in layer.names.items() if called == name]
        if not pairs and name == BACKGROUND:
            return ~self._union([layer.labels != 0 for layer in self.layers])
        if not pairs:
            raise unknown_region(name, self.region_names)
        return self._union([layer.labels == label for layer, label in pairs])

    def weight_map(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        """Weight of every voxel in the loss, shape (X, Y, Z).

        Args:
            weights: Weight of a region; the largest counts where regions overlap, 1 where none has one.

        Raises:
            RegionError: A weight is negative or not finite, or no region has that name.
        """
        heaviest = np.full(self.shape, -1.0, np.float32)
        for name, weight in weights.items():
            if not np.isfinite(weight) or weight < 0:
                raise RegionError(
                    None, "a weight that is none", key=name, found=weight, expected="0 or more", fix="give a number"
                )
            np.maximum(heaviest, np.float32(weight), out=heaviest, where=self.mask(name))
        return np.where(heaviest < 0, np.float32(1), heaviest)

    def _names(self) -> tuple[str, ...]:
        return tuple(name for layer in self.layers for _, name in sorted(layer.names.items()))

    def _union(self, masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        found = np.zeros(self.shape, bool)
        for mask in masks:
            found |= mask
        return found

    def _only_layer(self) -> Layer:
        if len(self.layers) != 1:
            raise AttributeError(f"these regions have {len(self.layers)} layers; read them from `layers`")
        return self.layers[0]


def integer_labels(values: NDArray[Any]) -> Labels:
    """A label map as integers, where its values are integers up to rounding noise.

    Raises:
        RegionError: Fractions, negative or too large values; the first of them are named.
        GeometryError: It is no volume.

    Examples:
        >>> integer_labels(np.array([[[0.0, 3.0000458]]])).tolist()
        [[[0, 3]]]
    """
    if values.ndim != 3 or not values.size:
        raise GeometryError(
            None, "this is no label map", found=f"shape {values.shape}", expected="three axes (X, Y, Z)", fix="give one"
        )
    if values.dtype.kind == "b":
        return values.view(np.uint8)
    if values.dtype.kind not in "uif":
        raise RegionError(None, "labels that are no numbers", found=values.dtype, expected="integers", fix="convert")
    whole = values if values.dtype.kind in "ui" else np.rint(values)
    odd = ~(np.abs(values - whole) <= INTEGER_TOLERANCE) if whole is not values else np.zeros((), bool)
    if odd.any() or whole.min() < 0 or whole.max() > _LARGEST_LABEL:
        odd = odd | (whole < 0) | (whole > _LARGEST_LABEL)
        shown = ", ".join(f"{value:g}" for value in np.unique(values[np.broadcast_to(odd, values.shape)])[:5])
        raise RegionError(
            None,
            "labels that are no labels",
            found=shown,
            expected="integers from 0",
            fix="give a label map, resampled with nearest neighbours",
        )
    if values.dtype.kind in "ui" and values.dtype.itemsize <= 4 and values.dtype != np.uint32:
        return values
    return whole.astype(np.int32)


def mask_of(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a mask lies: above 0, whatever its labels are.

    Raises:
        RegionError: Fractions, values that are no labels, or so many of them that it is a scan.
        GeometryError: It is no volume.

    Examples:
        >>> mask_of(np.array([[[0, 255, 3]]])).tolist()
        [[[False, True, True]]]
    """
    labels = integer_labels(values)
    if int(labels.max()) > _MOST_UNNAMED:
        _refuse_scan(len(present_labels(labels)), "mask", "give the mask")
    return np.asarray(labels > 0)


def _refuse_scan(values: int, wanted: str, fix: str) -> None:
    if values > _MOST_UNNAMED:
        raise RegionError(None, f"this is a scan, no {wanted}", found=f"{values} different values",
                          expected=f"at most {_MOST_UNNAMED} labels without names", fix=fix)  # fmt: skip


def _checked_names(labels: Labels, names: Mapping[int, str] | None) -> dict[int, str]:
    present = [int(label) for label in present_labels(labels)]
    if names is None:
        _refuse_scan(len(present), "label map", "give the label map, or the names of its labels")
        return {label: str(label) for label in present if label}
    given = list(names)
    if not isinstance(names, Mapping) or not all(isinstance(label, Integral) for label in given):
        raise RegionError(None, "names that are not called by their labels", found=", ".join(map(repr, given[:3])),
                          expected="a whole number for each name, as {1: 'brain'}",
                          fix="turn the labels into integers, or let medp2p.read_regions read the table")  # fmt: skip
    strangers = [label for label in present if label and label not in names]
    if strangers:
        raise RegionError(
            None,
            f"label {', '.join(map(str, strangers[:5]))} has no name",
            expected=f"one of {', '.join(map(str, sorted(names)[:20])) or 'none'}",
            fix="name it in the label table, or correct the map",
        )
    return {int(label): str(name) for label, name in sorted(names.items())}


def present_labels(labels: Labels) -> list[int]:
    """Every label of a map once, in rising order; looked up only where it changes, since maps are of large pieces."""
    flat = labels.reshape(-1, order="A") if labels.flags.forc else labels.ravel(order="K")
    found = {int(flat[0])}
    for start in range(0, flat.size - 1, _CHUNK):
        part = flat[start : start + _CHUNK + 1]
        found.update(np.unique(part[1:][part[1:] != part[:-1]]).tolist())
    return sorted(found)


def unknown_region(name: str, known: Sequence[str], key: str | None = None) -> RegionError:
    """The error that no region has a name, with those that there are."""
    near = nearest(str(name), known)
    return RegionError(
        None,
        f"no region is called {name}",
        key=key,
        expected=f"one of {', '.join(known)}" if known else "none: there is no label map",
        fix=f"write {near}" if near else "use a name of the label table" if known else "give the label maps",
    )
