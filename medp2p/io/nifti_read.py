"""NIfTI-1, NIfTI-2 and header/image pairs to Volume, byte by byte; what contradicts itself is refused by its cause."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError, GeometryError
from medp2p.io.exact import ExactReader, reading
from medp2p.io.machine import naming
from medp2p.io.nifti_header import (
    MILLIMETRES,
    NIFTI1,
    NIFTI2,
    NUMBER_TYPES,
    OTHER_TYPES,
    SPACE_UNITS,
    TIME_UNITS,
    Affine,
    quaternion_affine,
)
from medp2p.io.scaling import scaled
from medp2p.volume import Header, Volume

PathLike = str | os.PathLike[str]
_SIZE_TOLERANCE = 0.01
"""Voxel sizes of pixdim and sform may differ by this share: both are rounded, and by different programs."""
_QUATERNION_TOLERANCE = 1e-5
_PLAUSIBLE_MM = (1e-4, 100.0)
"""Voxels outside it, in a file whose unit is not millimetres, mean that the unit is wrong."""


@dataclass(frozen=True)
class _Layout:
    """Where the voxels are in the file and what they mean."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float


def read_nifti(path: PathLike, *, packed: bool | None = None) -> Volume:
    """One volume of a .nii, .nii.gz, .hdr or .img file.

    Args:
        path: The file; of a pair either one.
        packed: Whether it is gzipped; None: as its name says.

    Returns:
        Voxels in the type that the file stores, or scaled to float32 (float64 from 32-bit integers upwards), on the
        grid of the sform, else of the qform; both are kept in `header`, in mm.

    Raises:
        FileError: The file is cut, damaged, longer than it says, or holds anything but one volume of real numbers.
        GeometryError: No transform with a code, transforms that contradict each other or the voxel sizes, or none.
    """
    path = Path(path)
    if path.suffix.lower() in (".hdr", ".img"):
        return _read_pair(path)
    packed = path.suffix.lower() == ".gz" if packed is None else packed
    with naming(path), reading(path, packed=packed) as reader:
        fields, size = _read_fields(reader, {b"n+1": NIFTI1, b"n+2": NIFTI2})
        layout = _checked_layout(path, fields, smallest_offset=size + 4)
        header, affine = _geometry(path, fields)
        reader.skip(layout.offset - size)
        raw = _read_voxels(reader, layout)
        return Volume(scaled(path, raw, layout.slope, layout.intercept), affine, header=header)


def _read_pair(path: Path) -> Volume:
    header_path, image_path = _pair(path)
    with naming(header_path), ExitStack() as files:
        head = files.enter_context(reading(header_path))
        fields, _ = _read_fields(head, {b"ni1": NIFTI1, b"ni2": NIFTI2})
        layout = _checked_layout(header_path, fields, smallest_offset=0)
        header, affine = _geometry(header_path, fields)
        image = files.enter_context(reading(image_path))
        image.skip(layout.offset)
        raw = _read_voxels(image, layout)
        return Volume(scaled(image_path, raw, layout.slope, layout.intercept), affine, header=header)


def _pair(path: Path) -> tuple[Path, Path]:
    """Header and image of a pair, whichever of them was named; upper-case extensions go together."""
    upper = path.suffix.isupper()
    header, image = (path.with_suffix(end.upper() if upper else end) for end in (".hdr", ".img"))
    for partner in (header, image):
        if not partner.exists():
            raise FileError(path, "the other file of the pair is not there", expected=partner.name, fix="copy both")
    return header, image


def _read_fields(reader: ExactReader, magics: dict[bytes, np.dtype[Any]]) -> tuple[np.void, int]:
    """The header's fields in native byte order, and its length in bytes."""
    start = reader.take(4)
    for order in ("<", ">"):
        size = int(np.frombuffer(start, f"{order}i4")[0])
        kind = {348: NIFTI1, 540: NIFTI2}.get(size)
        if kind is not None:
            break
    else:
        raise FileError(
            reader.path,
            "this is no NIfTI file: its first four bytes are no header length",
            expected="348 or 540",
            fix="convert the image to NIfTI; or is the file damaged?",
        )
    record = np.frombuffer(start + reader.take(size - 4), kind.newbyteorder(order))[0]
    known = magics.get(bytes(record["magic"])[:3])
    if known is not kind:
        raise _wrong_magic(reader.path, bytes(record["magic"])[:3])
    return record, size


def _wrong_magic(path: PathLike, magic: bytes) -> FileError | GeometryError:
    shown = magic.decode("ascii", "replace")
    if magic in (b"ni1", b"ni2"):
        return FileError(
            path, "this is the header of a pair", found=shown, fix="name it .hdr and keep its .img beside it"
        )
    if magic in (b"n+1", b"n+2"):
        return FileError(path, "this is a NIfTI file in one, named as a pair", found=shown, fix="name it .nii")
    if not magic.strip(b"\0"):
        return GeometryError(
            path,
            "an Analyze header does not say where the image lies (no sform, no qform)",
            fix="convert it to NIfTI with the orientation you know it has",
        )
    return FileError(path, "the header has no NIfTI magic string", fix="get the file anew; its header is damaged")


def _checked_layout(path: PathLike, fields: np.void, *, smallest_offset: int) -> _Layout:
    code, bits = int(fields["datatype"]), int(fields["bitpix"])
    if code not in NUMBER_TYPES:
        raise FileError(
            path,
            "voxels that are not one real number each",
            found=OTHER_TYPES.get(code, f"datatype code {code}"),
            expected="integers or floats",
            fix="convert the image to one scalar volume",
        )
    dtype = np.dtype(NUMBER_TYPES[code]).newbyteorder(fields.dtype["dim"].base.byteorder)
    if bits != 8 * dtype.itemsize:
        raise FileError(
            path,
            "datatype and bitpix contradict each other",
            found=f"{bits} bits",
            expected=f"{8 * dtype.itemsize} for {dtype.name}",
            fix="write the file anew from its source",
        )
    return _Layout(
        _checked_shape(path, fields),
        dtype,
        _checked_offset(path, fields, smallest_offset),
        *_checked_scale(path, fields),
    )


def _checked_shape(path: PathLike, fields: np.void) -> tuple[int, int, int]:
    dim = [int(length) for length in fields["dim"]]
    if not 1 <= dim[0] <= 7 or any(length < 1 for length in dim[1 : dim[0] + 1]):
        raise FileError(
            path,
            "the header's dimensions are impossible",
            found=dim[: 1 + min(7, max(3, dim[0]))],
            expected="a number of axes from 1 to 7, then as many lengths above 0",
            fix="write the file anew from its source",
        )
    lengths = [*dim[1 : dim[0] + 1], 1, 1][: max(3, dim[0])]
    if any(length != 1 for length in lengths[3:]):
        raise FileError(
            path,
            "more than one volume",
            found=" x ".join(map(str, lengths)),
            expected="three axes",
            fix="extract the volume you mean into a file of its own",
        )
    return lengths[0], lengths[1], lengths[2]


def _checked_offset(path: PathLike, fields: np.void, smallest: int) -> int:
    offset = float(fields["vox_offset"])
    if not (offset >= smallest and offset.is_integer()):
        raise FileError(
            path,
            "the header does not say where the voxels begin",
            found=f"vox_offset {offset:g}",
            expected=f"{smallest} or more",
            fix="write the file anew from its source",
        )
    return int(offset)


def _checked_scale(path: PathLike, fields: np.void) -> tuple[float, float]:
    slope, intercept = float(fields["scl_slope"]), float(fields["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not np.isfinite([slope, intercept]).all():
        raise FileError(
            path,
            "the scaling is not finite",
            found=f"slope {slope:g}, intercept {intercept:g}",
            expected="finite numbers",
            fix="write the file anew from its source",
        )
    return slope, intercept


def _read_voxels(reader: ExactReader, layout: _Layout) -> NDArray[Any]:
    """The stored numbers in native byte order, shape (X, Y, Z), first axis fastest."""
    count = int(np.prod([int(length) for length in layout.shape], dtype=object))
    reader.expect(count * layout.dtype.itemsize)
    flat = reader.fill(np.empty(count, layout.dtype))
    reader.finish()
    if not flat.dtype.isnative:
        flat = flat.byteswap(inplace=True).view(flat.dtype.newbyteorder("="))
    return flat.reshape(layout.shape, order="F")


def _geometry(path: PathLike, fields: np.void) -> tuple[Header, Affine]:
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


def _scaled_affine(affine: Affine, scale: float) -> Affine:
    factors: Affine = np.array([[scale], [scale], [scale], [1.0]])
    return affine * factors


def _sform(path: PathLike, fields: np.void) -> Affine:
    affine = np.eye(4)
    affine[:3] = fields["srow"]
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all():
        raise GeometryError(
            path, "the sform is not finite", fix="set the transform with the program that wrote the file"
        )
    if not lengths.all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        raise GeometryError(
            path, "the sform is singular: an axis has no length, or two coincide", fix="set the transform anew"
        )
    return affine


def _qform(path: PathLike, fields: np.void) -> Affine:
    quaternion, offset = fields["quatern"].astype(np.float64), fields["qoffset"].astype(np.float64)
    pixdim = fields["pixdim"].astype(np.float64)
    length = float(quaternion @ quaternion) ** 0.5
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
    """Left and right must be the same in both: one handedness, and the axis along the body's width runs one way."""
    s, q = (affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0) for affine in (sform, qform))
    across = int(np.abs(s[0]).argmax())
    if np.linalg.det(s) * np.linalg.det(q) < 0 or s[0, across] * q[0, across] < 0:
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
