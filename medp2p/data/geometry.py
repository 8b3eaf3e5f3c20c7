"""The way from a volume in RAS order to the slices a network sees, and back; numpy alone, nothing of a file.

Everything happens in the index space of the RAS-ordered array, from spacing and shape alone, so one scan gives the
same slices in whichever of the 48 orders a file stores it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from medp2p.affine import axis_order
from medp2p.data.resampling import resampled
from medp2p.errors import GeometryError
from medp2p.volume import Volume

Array = NDArray[Any]
Mapping = Callable[[Array], Array]
"""One plane (H, W) in, one of the same shape out."""
T = TypeVar("T", int, float)

NORMAL_AXIS = {"axial": 2, "coronal": 1, "sagittal": 0}
"""The axis of a RAS-ordered array that a plane stands on."""
_LARGEST_PLANE = 1 << 24
"""Pixels of a plane beyond which resampling does not make one: two metres at half a millimetre."""
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
        height, width = self.size
        native_height, native_width = self.native_size
        if height * width > max(_LARGEST_PLANE, native_height * native_width):
            raise GeometryError(
                None,
                "its slices would be too large: is its voxel size right?",
                found=f"{height} x {width} pixels at {self.spacing[0]:g} x {self.spacing[1]:g} mm",
                expected=f"at most {_LARGEST_PLANE} pixels",
                fix="correct the voxel size in the image's header",
            )

    @classmethod
    def of(
        cls, scan: Volume, plane: str, spacing_mm: tuple[float, float] | None, *, size: tuple[int, int] | None = None
    ) -> Self:
        """The grid of a scan, in the order of its `to_ras`; with `size` its planes have that (H, W), not a spacing."""
        order, _ = axis_order(scan.affine)
        x, y, z = (scan.spacing_mm[axis] for axis in order)
        shape_x, shape_y, shape_z = (scan.shape[axis] for axis in order)
        grid = cls((shape_x, shape_y, shape_z), (x, y, z), plane, spacing_mm)
        if size is None:
            return grid
        extent = zip(grid.native_size, grid.native_spacing, size, strict=True)
        height_mm, width_mm = (n * mm / wanted for n, mm, wanted in extent)
        return replace(grid, spacing_mm=(height_mm, width_mm))

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

    def part(self, start: int, stop: int) -> Self:
        """The grid of some neighbouring planes of this one, from number `start` to before `stop`.

        Examples:
            >>> PlaneGrid((100, 120, 30), (1.0, 1.0, 4.0), "coronal").part(10, 15).shape_ras
            (100, 5, 30)
        """
        x, y, z = (stop - start if axis == self.normal_axis else n for axis, n in enumerate(self.shape_ras))
        return replace(self, shape_ras=(x, y, z))

    def within(self, start: int, stop: int) -> tuple[slice, ...]:
        """Where those planes lie in the RAS-ordered array."""
        return tuple(slice(start, stop) if axis == self.normal_axis else slice(None) for axis in range(3))

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
        yield resampled(mapped, grid.native_spacing, grid.size, grid.spacing, nearest, smooth=True)


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
        native = resampled(plane, grid.spacing, grid.native_size, grid.native_spacing, nearest, smooth=False)
        slots[index] = (native if mapping is None else mapping(native)).T
    return volume
