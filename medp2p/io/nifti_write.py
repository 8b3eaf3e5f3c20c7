"""Volume to .nii and .nii.gz: the grid of the volume with both transforms, and no word about where it came from."""

from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from medp2p.affine import CORNER_TOLERANCE_MM, corner_distance_mm, is_orthogonal
from medp2p.errors import FileError
from medp2p.io.atomic import atomic_file
from medp2p.io.gzip_stream import packing
from medp2p.io.nifti_header import (
    NIFTI1,
    NIFTI2,
    NUMBER_TYPES,
    SPACE_UNITS,
    TIME_UNITS,
    affine_quaternion,
)
from medp2p.io.nifti_read import read_nifti
from medp2p.io.voxel_bytes import fortran_chunks, storable
from medp2p.volume import MILLIMETRES, Header, Volume

_LARGEST_NIFTI1_AXIS = 32767
_TYPE_CODES = {np.dtype(name): code for code, name in NUMBER_TYPES.items()}


def write_nifti(volume: Volume, path: str | PathLike[str], *, overwrite: bool = False) -> None:
    """Write a volume in its own number type; read back and compared before the file gets its name.

    Args:
        volume: Its header's transforms are written with their codes; one without any gets its affine as sform and
            qform with code 1 (a sheared one as sform alone).
        path: Ends in .nii or .nii.gz.
        overwrite: Replace a file that is there.

    Raises:
        OutputExistsError: There is a file and `overwrite` is not given.
        FileError: The file cannot be written.
    """
    voxels = storable(volume)
    packed = str(path).lower().endswith(".gz")
    head = _header(voxels, volume)

    def check(temporary: Path) -> None:
        _compare(path, read_nifti(temporary, packed=packed), voxels, volume)

    with atomic_file(path, overwrite=overwrite, check=check) as file:
        if not packed:
            _write(file, head, voxels)
            return
        with packing(file) as stream:
            _write(stream, head, voxels)


def _write(stream: IO[bytes], head: bytes, voxels: NDArray[Any]) -> None:
    stream.write(head)
    for chunk in fortran_chunks(voxels):
        stream.write(chunk)


def _header(voxels: NDArray[Any], volume: Volume) -> bytes:
    """Every field that says something of the grid; all texts, intent, display range and timing stay empty."""
    large = max(voxels.shape) > _LARGEST_NIFTI1_AXIS or _is_lost_in_float32(volume)
    fields = np.zeros((), NIFTI2 if large else NIFTI1)
    header = _transforms(volume)
    unit = MILLIMETRES.get(header.space_unit, 1.0)
    fields["sizeof_hdr"] = fields.dtype.itemsize
    fields["magic"] = b"n+2\0\r\n\x1a\n" if large else b"n+1\0"
    fields["dim"] = [3, *voxels.shape, 1, 1, 1, 1]
    fields["datatype"] = _TYPE_CODES[voxels.dtype.newbyteorder("=")]
    fields["bitpix"] = 8 * voxels.dtype.itemsize
    fields["vox_offset"] = fields.dtype.itemsize + 4
    fields["scl_slope"] = 1
    fields["xyzt_units"] = _code(SPACE_UNITS, header.space_unit) | _code(TIME_UNITS, header.time_unit)
    fields["pixdim"] = [1, *(np.array(volume.spacing_mm) / unit), 1, 1, 1, 1]
    if header.sform_code and header.sform is not None:
        fields["sform_code"] = header.sform_code
        fields["srow"] = np.asarray(header.sform)[:3] / unit
    if header.qform_code and header.qform is not None:
        qform = np.asarray(header.qform, float)
        quaternion, handedness = affine_quaternion(qform)
        fields["qform_code"] = header.qform_code
        fields["quatern"], fields["qoffset"] = quaternion, qform[:3, 3] / unit
        fields["pixdim"][:4] = [handedness, *(np.linalg.norm(qform[:3, :3], axis=0) / unit)]
    return fields.tobytes() + bytes(4)


def _is_lost_in_float32(volume: Volume) -> bool:
    """Whether the numbers of NIfTI-1 are too short for the grid: dozens of metres from the origin they are."""
    rounded = volume.affine.astype(np.float32)
    return corner_distance_mm(volume.shape, rounded, volume.affine) > CORNER_TOLERANCE_MM / 2


def _transforms(volume: Volume) -> Header:
    """What the file came with, or, where that is nothing or another grid, the affine as scanner coordinates."""
    given = volume.header
    first = given.sform if given.sform_code else given.qform if given.qform_code else None
    if first is not None and corner_distance_mm(volume.shape, first, volume.affine) <= CORNER_TOLERANCE_MM:
        return given
    square = is_orthogonal(volume.affine)
    return Header(
        sform=volume.affine, sform_code=1, qform=volume.affine if square else None, qform_code=1 if square else 0
    )


def _code(units: dict[int, str], name: str) -> int:
    return next((code for code, unit in units.items() if unit == name), 0)


def _compare(path: str | PathLike[str], written: Volume, voxels: NDArray[Any], volume: Volume) -> None:
    same = (
        written.voxels.dtype == voxels.dtype.newbyteorder("=")
        and np.array_equal(written.voxels, voxels)
        and corner_distance_mm(volume.shape, written.affine, volume.affine) <= CORNER_TOLERANCE_MM
    )
    if not same:
        error = FileError(path, "the file reads back differently from what was written", fix="check disk and memory")
        error.exit_code = 1
        raise error
