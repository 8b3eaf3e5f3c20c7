"""The way from a volume in RAS order to the slices a network sees, and back; numpy alone, nothing of a file.

Everything happens in the index space of the RAS-ordered array, from spacing and shape alone, so one scan gives the
same slices in whichever of the 48 orders a file stores it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import GeometryError
from medp2p.volume import Volume, axis_order

Array = NDArray[Any]
Mapping = Callable[[Array], Array]
"""One plane (H, W) in, one of the same shape out."""
T = TypeVar("T", int, float)

NORMAL_AXIS = {"axial": 2, "coronal": 1, "sagittal": 0}
"""The axis of a RAS-ordered array that a plane stands on."""
_SAME_PLACE = 1e-3
"""Voxels: a spacing that moves no voxel of an axis by more than this is the spacing that the axis has."""


@dataclass(frozen=True)
class PlaneGrid:
    """How one volume is cut into planes, and at which spacing.

    A plane is (H, W), rows running towards anterior or superior: axial (Y, X), coronal (Z, X), sagittal (Z, Y).

    Args:
        shape_ras: Voxels of the RAS-ordered array along x, y, z.
        spacing_ras: Distance of voxel centres along x, y, z, in mm.
        plane: `axial`, `coronal` or `sagittal`.
        spacing_mm: Spacing of the prepared planes, first from row to row (along the height), then from column to
            column. None keeps the scan's own. The distance between planes is never changed.

    Raises:
        GeometryError: An unknown plane, or a spacing or shape that is not above zero.

    Examples:
        >>> grid = PlaneGrid((100, 120, 30), (1.0, 1.0, 4.0), "axial", (1.5, 2.0))
        >>> grid.count, grid.native_size, grid.size
        (30, (120, 100), (80, 50))
    """

    shape_ras: tuple[int, int, int]
    spacing_ras: tuple[float, float, float]
    plane: str = "axial"
    spacing_mm: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.plane not in NORMAL_AXIS:
            raise GeometryError(
                None, "no such plane", found=self.plane, expected=", ".join(NORMAL_AXIS), fix="name one of them"
            )
        numbers = (*self.shape_ras, *self.spacing_ras, *(self.spacing_mm or ()))
        if not all(np.isfinite(number) and number > 0 for number in numbers):
            raise GeometryError(None, "a grid without extent", found=numbers, expected="above 0", fix="correct it")

    @classmethod
    def of(cls, scan: Volume, plane: str, spacing_mm: tuple[float, float] | None) -> Self:
        """The grid of a scan, in the order of its `to_ras`."""
        order, _ = axis_order(scan.affine)
        x, y, z = (scan.spacing_mm[axis] for axis in order)
        shape_x, shape_y, shape_z = (scan.shape[axis] for axis in order)
        return cls((shape_x, shape_y, shape_z), (x, y, z), plane, spacing_mm)

    @property
    def normal_axis(self) -> int:
        """The axis of the RAS-ordered array along which planes are counted."""
        return NORMAL_AXIS[self.plane]

    @property
    def count(self) -> int:
        """Number of planes."""
        return self.shape_ras[self.normal_axis]

    @property
    def native_size(self) -> tuple[int, int]:
        """(H, W) of a plane as scanned."""
        return self._in_plane(self.shape_ras)

    @property
    def native_spacing(self) -> tuple[float, float]:
        """(H, W) spacing of a plane as scanned, in mm."""
        return self._in_plane(self.spacing_ras)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of a prepared plane: the extent of the scan, in whole pixels of the prepared spacing."""
        height, width = (
            max(1, int(np.floor(n * mm / target + 0.5)))
            for n, mm, target in zip(self.native_size, self.native_spacing, self.spacing, strict=True)
        )
        return height, width

    @property
    def spacing(self) -> tuple[float, float]:
        """(H, W) spacing of a prepared plane, in mm; a spacing that is the scan's up to rounding is the scan's."""
        if self.spacing_mm is None:
            return self.native_spacing
        height, width = (
            mm if abs(target / mm - 1.0) * n < _SAME_PLACE else target
            for n, mm, target in zip(self.native_size, self.native_spacing, self.spacing_mm, strict=True)
        )
        return height, width

    def _in_plane(self, values: tuple[T, T, T]) -> tuple[T, T]:
        width, height = (value for axis, value in enumerate(values) if axis != self.normal_axis)
        return height, width


def native_planes(array_ras: Array, grid: PlaneGrid) -> Iterator[Array]:
    """The planes of a RAS-ordered array as scanned, one after the other: views of shape (H, W).

    Raises:
        GeometryError: The array is not the grid's.
    """
    if array_ras.shape != grid.shape_ras:
        raise GeometryError(None, "an array of another grid", found=array_ras.shape, expected=grid.shape_ras, fix="cut")
    return (plane.T for plane in np.moveaxis(array_ras, grid.normal_axis, 0))


def to_planes(
    array_ras: Array, grid: PlaneGrid, *, nearest: bool = False, mapping: Mapping | None = None
) -> NDArray[Any]:
    """The planes of a volume, resampled in plane.

    Args:
        array_ras: Voxels in RAS order, shape (X, Y, Z).
        grid: How they are cut.
        nearest: For labels, masks and weights: no value arises that was not there, and the number type is kept.
        mapping: Applied to each plane before it is resampled, an intensity map for example: so that an extreme
            voxel is clipped before it can bleed into its neighbours.

    Returns:
        Shape (N, H, W), float32 unless `nearest`.

    Examples:
        >>> grid = PlaneGrid((2, 4, 3), (1.0, 1.0, 5.0), "axial", (2.0, 1.0))
        >>> to_planes(np.full((2, 4, 3), 7.0), grid).shape
        (3, 2, 2)
    """
    planes = np.empty((grid.count, *grid.size), array_ras.dtype if nearest else np.float32)
    for index, plane in enumerate(each_plane(array_ras, grid, nearest=nearest, mapping=mapping)):
        planes[index] = plane
    return planes


def each_plane(
    array_ras: Array, grid: PlaneGrid, *, nearest: bool = False, mapping: Mapping | None = None
) -> Iterator[NDArray[Any]]:
    """The planes of `to_planes` one after the other, each of shape (H, W), so that they need not all be held."""
    for native in native_planes(array_ras, grid):
        mapped = native if mapping is None else mapping(native)
        yield _resampled(mapped, grid.native_spacing, grid.size, grid.spacing, nearest, smooth=True)


def from_planes(
    planes: Array,
    grid: PlaneGrid,
    *,
    nearest: bool = False,
    mapping: Mapping | None = None,
    dtype: np.dtype[Any] | type[Any] | None = None,
) -> NDArray[Any]:
    """The volume of prepared planes, resampled back onto every voxel of the scan.

    Args:
        planes: Shape (N, H, W), as `to_planes` gives them.
        grid: How the scan was cut.
        nearest: For labels.
        mapping: Applied to each plane after it is resampled, the inverse of an intensity map for example.
        dtype: Number type of the result; float32 by default, with `nearest` that of the planes.

    Returns:
        Voxels in RAS order, shape (X, Y, Z).

    Raises:
        GeometryError: The planes are not the grid's.
    """
    if planes.shape != (grid.count, *grid.size):
        raise GeometryError(
            None, "planes of another grid", found=planes.shape, expected=(grid.count, *grid.size), fix="unpad them"
        )
    kind = dtype or (planes.dtype if nearest else np.float32)
    volume = np.empty(grid.shape_ras, kind, order="F")
    slots = np.moveaxis(volume, grid.normal_axis, 0)
    for index, plane in enumerate(planes):
        native = _resampled(plane, grid.spacing, grid.native_size, grid.native_spacing, nearest, smooth=False)
        slots[index] = (native if mapping is None else mapping(native)).T
    return volume


def _resampled(
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
