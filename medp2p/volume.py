"""Volume: the voxels of a scan with the grid they lie on; it must never hold a grid that was not checked."""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medp2p.affine import (
    CORNER_TOLERANCE_MM,
    axis_order,
    checked_affine,
    corner_distance_mm,
    is_orthogonal,
    sides_agree,
)
from medp2p.errors import GeometryError

if TYPE_CHECKING:
    import nibabel
    import SimpleITK

Array = NDArray[Any]
MILLIMETRES = {"unknown": 1.0, "meter": 1000.0, "mm": 1.0, "micron": 0.001}
"""Length of a unit in mm; where a header does not say, millimetres are what everybody means."""
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Header:
    """What a NIfTI header says of the grid beyond the affine, kept so that it can be written back.

    Attributes:
        sform: 4 x 4, mm, or None where the file has none.
        sform_code: 0 where there is none; 1 scanner, 2 aligned, 3 Talairach, 4 MNI.
        qform: 4 x 4, mm, or None.
        qform_code: As `sform_code`.
        space_unit: Of the file (`mm`, `meter`, `micron`, `unknown`), written back; the transforms here are in mm.
        time_unit: As the file says; it means nothing for one volume and is passed on.
    """

    sform: Array | None = None
    sform_code: int = 0
    qform: Array | None = None
    qform_code: int = 0
    space_unit: str = "mm"
    time_unit: str = "unknown"


@dataclass(frozen=True, eq=False)
class Volume:
    """A scan: voxels on a grid in the patient's space (RAS+, mm).

    Args:
        voxels: Real numbers, shape (X, Y, Z), all finite. Kept in the type they have, and read-only.
        affine: 4 x 4, from voxel indices to millimetres, x to the patient's right, y anterior, z superior.
        header: Both transforms of a NIfTI file with their codes; None for a volume made here.

    Raises:
        GeometryError: It is no volume: not three axes, no voxel, a value that is not finite, a singular affine.

    Examples:
        >>> volume = Volume(np.zeros((4, 5, 6), np.int16), np.diag([2.0, 2.0, 3.0, 1.0]))
        >>> volume.shape, volume.spacing_mm, volume.orientation
        ((4, 5, 6), (2.0, 2.0, 3.0), 'RAS')
    """

    voxels: Array
    affine: NDArray[np.float64]
    header: Header = field(default_factory=Header, kw_only=True)

    def __init__(self, voxels: ArrayLike, affine: ArrayLike, *, header: Header | None = None) -> None:
        for name, value in (
            ("voxels", _read_only(_checked_voxels(np.asarray(voxels)))),
            ("affine", _read_only(checked_affine(affine))),
            ("header", header or Header()),
        ):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        spacing = " x ".join(f"{mm:.4g}" for mm in self.spacing_mm)
        return f"Volume({self.shape}, {self.voxels.dtype}, {spacing} mm, {self.orientation})"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each axis of the array."""
        x, y, z = self.voxels.shape
        return x, y, z

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along each axis, in mm."""
        x, y, z = map(float, np.linalg.norm(self.affine[:3, :3], axis=0))
        return x, y, z

    @property
    def orientation(self) -> str:
        """Where each axis of the array points, nearest first: `LAS` runs to left, anterior, superior."""
        order, flips = axis_order(self.affine)
        ends = {world: "RAS"[axis] if not flips[axis] else "LPI"[axis] for axis, world in enumerate(order)}
        return "".join(ends[axis] for axis in range(3))

    def same_grid(self, other: "Volume", tolerance_mm: float = CORNER_TOLERANCE_MM) -> bool:
        """Whether the voxels of both lie at the same places: equal shape, no corner off by more than the tolerance."""
        return self.shape == other.shape and bool(
            corner_distance_mm(self.shape, self.affine, other.affine) <= tolerance_mm
        )

    def with_voxels(self, voxels: ArrayLike) -> "Volume":
        """Other values on the same grid, with the same header.

        Raises:
            GeometryError: The shape is another, or a value is not finite.
        """
        array = np.asarray(voxels)
        if array.shape != self.shape:
            raise GeometryError(
                None, "voxels of another shape", found=array.shape, expected=self.shape, fix="give one value a voxel"
            )
        return Volume(array, self.affine, header=self.header)

    def to_ras(self) -> Array:
        """The voxels with axes nearest to right, anterior, superior, in that order: a view of shape (R, A, S)."""
        order, flips = axis_order(self.affine)
        return self.voxels.transpose(order)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]

    def from_ras(self, array: ArrayLike) -> "Volume":
        """An array in the order of `to_ras`, put back on this volume's own grid.

        Raises:
            GeometryError: The shape is another, or a value is not finite.
        """
        order, flips = axis_order(self.affine)
        turned = np.asarray(array)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
        return self.with_voxels(turned.transpose(np.argsort(order)))

    def content_sha256(self) -> str:
        """Hash of what the scan holds: number type, shape, affine and voxels; not of how the file stores it."""
        values = np.asfortranarray(self.voxels, dtype=self.voxels.dtype.newbyteorder("<"))  # as files have it: no copy
        digest = hashlib.sha256(f"{values.dtype.kind}{values.dtype.itemsize}{self.shape}".encode())
        digest.update(np.round(self.affine, 6).astype("<f8").tobytes())
        digest.update(values.T.data)
        return digest.hexdigest()

    @classmethod
    def from_nibabel(cls, image: "nibabel.spatialimages.SpatialImage") -> "Volume":
        """A volume of an image that nibabel holds: the sform before the qform, scaling applied.

        Raises:
            GeometryError: The image has no code for either transform, contradicts itself, or is no volume.
        """
        import nibabel

        header: Any = image.header
        voxels = _three_axes(np.asanyarray(image.dataobj))
        if not hasattr(header, "get_sform"):
            if isinstance(image, nibabel.AnalyzeImage):
                raise _without_place("an Analyze header has neither sform nor qform")
            return cls(voxels, np.asarray(image.affine))
        unit, time_unit = header.get_xyzt_units()
        to_mm = np.diag([MILLIMETRES[unit]] * 3 + [1.0])
        (sform, sform_code), (qform, qform_code) = header.get_sform(coded=True), header.get_qform(coded=True)
        sform, qform = (to_mm @ sform if sform_code else None), (to_mm @ qform if qform_code else None)
        if sform is not None and qform is not None and not sides_agree(sform, qform):
            raise GeometryError(
                None,
                "sform and qform contradict each other: left and right are exchanged between them",
                fix="find out which is right and set both",
            )
        affine = sform if sform is not None else qform
        if affine is None:
            raise _without_place("sform and qform both have code 0")
        codes = {"sform_code": int(sform_code), "qform_code": int(qform_code)}
        return cls(voxels, affine, header=Header(sform, qform=qform, space_unit=unit, time_unit=time_unit, **codes))

    def to_nibabel(self) -> "nibabel.Nifti1Image":
        """A NIfTI image of nibabel, both transforms with their codes.

        Examples:
            >>> image = Volume(np.zeros((2, 3, 4), np.int16), np.eye(4)).to_nibabel()
            >>> image.shape, int(image.header["sform_code"])
            ((2, 3, 4), 1)
        """
        import nibabel

        voxels = _as_held(self.voxels)
        image = nibabel.Nifti1Image(voxels, self.affine, dtype=voxels.dtype)
        given, known = self.header, bool(self.header.sform_code or self.header.qform_code)
        image.set_sform(given.sform if known else self.affine, given.sform_code if known else 1)
        image.set_qform(given.qform if known else self.affine, given.qform_code if known else 1)
        image.header.set_xyzt_units("unknown" if given.space_unit == "unknown" else "mm", given.time_unit)
        return image

    @classmethod
    def from_sitk(cls, image: "SimpleITK.Image") -> "Volume":
        """A volume of an image that SimpleITK holds (LPS, axes z, y, x in its arrays).

        Raises:
            GeometryError: It has other than three axes, or several numbers a voxel.
        """
        import SimpleITK as sitk

        if image.GetDimension() != 3:
            raise GeometryError(None, "this is no volume", found=f"{image.GetDimension()} axes",
                                expected="three axes (X, Y, Z)", fix="give one")  # fmt: skip
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
        affine[:3, 3] = image.GetOrigin()
        return cls(sitk.GetArrayFromImage(image).T, _LPS_TO_RAS @ affine)

    def to_sitk(self) -> "SimpleITK.Image":
        """An image of SimpleITK (LPS).

        Raises:
            GeometryError: The axes are not at right angles, which SimpleITK cannot hold.

        Examples:
            >>> Volume(np.zeros((2, 3, 4), np.int16), np.eye(4)).to_sitk().GetSize()
            (2, 3, 4)
        """
        import SimpleITK as sitk

        affine, spacing = _LPS_TO_RAS @ self.affine, np.asarray(self.spacing_mm)
        direction = affine[:3, :3] / spacing
        if not is_orthogonal(self.affine):
            raise GeometryError(
                None,
                "the grid is sheared: its axes are not at right angles",
                fix="keep it as NIfTI, the only format here that holds such a grid",
            )
        image = sitk.GetImageFromArray(np.ascontiguousarray(_as_held(self.voxels).T))
        image.SetSpacing(spacing.tolist())
        image.SetDirection(direction.ravel().tolist())
        image.SetOrigin(affine[:3, 3].tolist())
        return image


def _checked_voxels(voxels: Array) -> Array:
    if voxels.ndim != 3 or not voxels.size:
        raise GeometryError(
            None, "this is no volume", found=f"shape {voxels.shape}", expected="three axes (X, Y, Z)", fix="give one"
        )
    if voxels.dtype.kind not in "buif":
        raise GeometryError(
            None, "voxels that are no real numbers", found=voxels.dtype, expected="integers or floats", fix="convert"
        )
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        bad = int(np.count_nonzero(~np.isfinite(voxels)))
        raise GeometryError(
            None, "voxels that are not finite", found=f"{bad} NaN or Inf", expected="none", fix="replace them"
        )
    return voxels.view(np.uint8) if voxels.dtype.kind == "b" else voxels


def require_volume(given: object, name: str) -> None:
    """Refuse what is no volume, as an array or a path that was given in place of one.

    Raises:
        GeometryError: It is none.
    """
    if not isinstance(given, Volume):
        fix = "make one with medp2p.read_volume(path), or Volume(array, affine)"
        raise GeometryError(None, f"{name} is no Volume", found=type(given).__name__, fix=fix)


def _three_axes(voxels: Array) -> Array:
    """Axes of length 1 beyond the third dropped, and added where there are fewer."""
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    return voxels if voxels.ndim >= 3 else voxels.reshape(*voxels.shape, *[1] * (3 - voxels.ndim))


def _as_held(voxels: Array) -> Array:
    """A copy in a number type that other libraries have: native, of 32 bits and more where it is floating."""
    native = voxels.dtype.newbyteorder("=")
    return np.array(voxels, np.float32 if native == np.float16 else np.float64 if native.itemsize > 8 else native)


def _without_place(cause: str) -> GeometryError:
    return GeometryError(None, f"the image does not say where it lies: {cause}", expected="a code above 0",
                         fix="set the transform with the code it has")  # fmt: skip


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view
