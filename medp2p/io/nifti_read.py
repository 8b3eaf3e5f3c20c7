"""NIfTI-1, NIfTI-2 and header/image pairs to Volume, byte by byte; what contradicts itself is refused by its cause."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError, GeometryError
from medp2p.io.exact import ExactReader, reading
from medp2p.io.machine import naming
from medp2p.io.nifti_geometry import geometry
from medp2p.io.nifti_header import NIFTI1, NIFTI2, NUMBER_TYPES, OTHER_TYPES
from medp2p.io.scaling import scaled
from medp2p.volume import Volume

PathLike = str | os.PathLike[str]


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
        header, affine = geometry(path, fields)
        reader.skip(layout.offset - size)
        raw = _read_voxels(reader, layout)
        return Volume(scaled(path, raw, layout.slope, layout.intercept), affine, header=header)


def _read_pair(path: Path) -> Volume:
    header_path, image_path = _pair(path)
    with naming(header_path), ExitStack() as files:
        head = files.enter_context(reading(header_path))
        fields, _ = _read_fields(head, {b"ni1": NIFTI1, b"ni2": NIFTI2})
        layout = _checked_layout(header_path, fields, smallest_offset=0)
        header, affine = geometry(header_path, fields)
        image = files.enter_context(reading(image_path))
        image.skip(layout.offset)
        raw = _read_voxels(image, layout)
        return Volume(scaled(image_path, raw, layout.slope, layout.intercept), affine, header=header)


def _pair(path: Path) -> tuple[Path, Path]:
    """The header and the image of a pair, whichever was named; extensions in any case of letters go together."""
    header = path.suffix.lower() == ".hdr"
    end = ".img" if header else ".hdr"
    usual = path.with_suffix(end.upper() if path.suffix.isupper() else end)
    alike = (other for other in sorted(path.parent.glob(f"{escape(path.stem)}.*")) if other.suffix.lower() == end)
    partner = usual if usual.exists() else next(alike, usual)
    if not partner.exists():
        raise FileError(path, "the other file of the pair is not there", expected=partner.name, fix="copy both")
    return (path, partner) if header else (partner, path)


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
