"""Where the header of a NIfTI file says that the image lies; what contradicts itself there is refused."""

import math
import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medp2p.affine import LARGEST_MM, sides_agree
from medp2p.errors import GeometryError
from medp2p.io.nifti_header import SPACE_UNITS, TIME_UNITS, Affine, quaternion_affine
from medp2p.volume import MILLIMETRES, Header

PathLike = str | os.PathLike[str]
_SIZE_TOLERANCE = 0.01
"""Voxel sizes of pixdim and sform may differ by this share: both are rounded, and by different programs."""
_QUATERNION_TOLERANCE = 1e-5
_PLAUSIBLE_MM = (5e-3, 100.0)
"""Voxels outside it, in a file whose unit is not millimetres, mean that the unit is wrong: a scan of 1 x 1 x 3 mm that
is said to be in microns has smaller ones, small animals in a scanner of their own have none."""
_LARGEST_CODE = 5


def geometry(path: PathLike, fields: np.void) -> tuple[Header, Affine]:
    """Both transforms with their codes and units, and the affine (RAS+, mm) that counts: the sform before the qform.

    Args:
        path: The file, for messages.
        fields: Of its header.

    Raises:
        GeometryError: No transform has a code, one is none, or they contradict each other or the voxel sizes.
    """
    _check_codes(path, fields)
    unit = SPACE_UNITS.get(int(fields["xyzt_units"]) & 7, "unknown")
    scale = MILLIMETRES[unit]
    sform = _scaled_affine(_sform(path, fields), scale) if int(fields["sform_code"]) > 0 else None
    qform = _scaled_affine(_qform(path, fields), scale) if int(fields["qform_code"]) > 0 else None
    affine = sform if sform is not None else qform
    if affine is None:
        raise GeometryError(
            path,
            "the header does not say where the image lies: sform and qform both have code 0",
            expected="a code above 0",
            fix="set the transform and its code with the program that wrote the file",
        )
    if sform is not None:
        _check_sizes(path, fields, sform / scale)
    if sform is not None and qform is not None:
        _check_sides(path, sform, qform)
    _check_plausible(path, affine, unit)
    return Header(
        sform=sform,
        sform_code=int(fields["sform_code"]) if sform is not None else 0,
        qform=qform,
        qform_code=int(fields["qform_code"]) if qform is not None else 0,
        space_unit=unit,
        time_unit=TIME_UNITS.get(int(fields["xyzt_units"]) & 0x38, "unknown"),
    ), affine


def _check_codes(path: PathLike, fields: np.void) -> None:
    codes = {name: int(fields[f"{name}_code"]) for name in ("sform", "qform")}
    if not all(0 <= code <= _LARGEST_CODE for code in codes.values()):
        raise GeometryError(
            path,
            "a transform with a code that NIfTI does not know: programs take it or leave it as they please",
            found=", ".join(f"{name} {code}" for name, code in codes.items()),
            expected=f"0 to {_LARGEST_CODE}",
            fix="set the codes with the program that wrote the file",
        )


def _scaled_affine(affine: Affine, scale: float) -> Affine:
    factors: Affine = np.array([[scale], [scale], [scale], [1.0]])
    return affine * factors


def _sform(path: PathLike, fields: np.void) -> Affine:
    affine = np.eye(4)
    affine[:3] = fields["srow"]
    if not (np.abs(affine) < LARGEST_MM).all():  # NaN is not less either
        raise GeometryError(
            path,
            "the sform is not finite, or beyond all measure",
            fix="set the transform with the program that wrote the file",
        )
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not lengths.all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        raise GeometryError(
            path, "the sform is singular: an axis has no length, or two coincide", fix="set the transform anew"
        )
    return affine


def _qform(path: PathLike, fields: np.void) -> Affine:
    quaternion, offset = fields["quatern"].astype(np.float64), fields["qoffset"].astype(np.float64)
    pixdim = fields["pixdim"].astype(np.float64)
    length = math.hypot(*quaternion)
    if not (np.isfinite([*quaternion, *offset, pixdim[0]]).all() and length <= 1 + _QUATERNION_TOLERANCE):
        raise GeometryError(
            path,
            "the qform is no rotation",
            found=f"a quaternion of length {length:g}",
            expected="at most 1, finite",
            fix="set the transform with the program that wrote the file",
        )
    if not ((pixdim[1:4] > 0) & np.isfinite(pixdim[1:4])).all():
        raise GeometryError(
            path,
            "the qform has a voxel size that is none",
            found=f"pixdim {_numbers(pixdim[1:4])}",
            expected="above 0",
            fix="set the voxel sizes with the program that wrote the file",
        )
    return quaternion_affine(quaternion, offset, pixdim[1:4], float(pixdim[0]))


def _check_sizes(path: PathLike, fields: np.void, sform: Affine) -> None:
    """Pixdim must be the lengths of the sform's columns or, where it is sheared, the sizes before the shear."""
    axes = min(3, int(fields["dim"][0]))
    pixdim = fields["pixdim"].astype(np.float64)[1 : axes + 1]
    if not any(np.all(np.abs(pixdim - sizes[:axes]) <= _SIZE_TOLERANCE * sizes[:axes]) for sizes in _sizes(sform)):
        raise GeometryError(
            path,
            "sform and pixdim contradict each other in the voxel size",
            found=f"{_numbers(np.linalg.norm(sform[:3, :3], axis=0)[:axes])} and {_numbers(pixdim)}",
            fix="find out which is right and set both",
        )


def _sizes(sform: Affine) -> Iterator[NDArray[np.float64]]:
    yield np.linalg.norm(sform[:3, :3], axis=0)
    yield np.abs(np.linalg.qr(sform[:3, :3])[1].diagonal())


def _check_sides(path: PathLike, sform: Affine, qform: Affine) -> None:
    """Left and right must be the same in both."""
    if not sides_agree(sform, qform):
        raise GeometryError(
            path,
            "sform and qform contradict each other: left and right are exchanged between them",
            fix="find out which is right and set both",
        )


def _check_plausible(path: PathLike, affine: Affine, unit: str) -> None:
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if MILLIMETRES[unit] != 1.0 and not ((sizes > _PLAUSIBLE_MM[0]) & (sizes < _PLAUSIBLE_MM[1])).all():
        raise GeometryError(
            path,
            f"the header counts in {unit}s, which makes voxels of an impossible size",
            found=f"{_numbers(sizes)} mm",
            fix="set the unit that the numbers are in (xyzt_units, 2 for mm)",
        )


def _numbers(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:g}" for value in values)
