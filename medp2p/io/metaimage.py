"""MetaImage (.mha, and .mhd with its data file) to Volume and back."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError, GeometryError
from medp2p.io.atomic import atomic_file
from medp2p.io.exact import ExactReader, check_ratio, reading, refuse_bomb
from medp2p.io.machine import naming
from medp2p.io.scaling import scaled
from medp2p.io.text_header import (
    BYTES_OF_NAMES,
    LARGEST_HEADER_BYTES,
    LPS_TO_RAS,
    Affine,
    data_file,
    in_order,
    integer,
    integers,
    lps_affine,
    numbers,
    plain,
    read_raw,
    three_axes,
    voxel_count,
    write_pair,
    yes_or_no,
)
from medp2p.io.voxel_bytes import refuse_shear, storable, whole_bytes
from medp2p.io.zlib_block import pack_block, unpack_block
from medp2p.volume import Volume

PathLike = str | os.PathLike[str]
Fields = dict[str, str]

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
    "MET_LONG": "i4", "MET_ULONG": "u4",
}  # fmt: skip
"""MET_LONG has four bytes on every machine (MetaIO, metaTypes.h); it is read, never written."""
_NAMES = {np.dtype(dtype): name for name, dtype in reversed(_TYPES.items())}


def read_metaimage(path: PathLike) -> Volume:
    """One volume of a MetaImage file.

    Raises:
        FileError: The file is cut, damaged, longer than it says, names data elsewhere, or is not one scalar volume.
        GeometryError: It does not say how and where the image lies.
    """
    with naming(path), reading(path) as reader:
        fields, end = _fields(reader)
        shape, dtype = _checked_kind(path, fields)
        affine = _affine(path, fields)
        name = fields["elementdatafile"]
        if name.upper() == "LOCAL":
            raw = _voxels(reader, fields, dtype, shape, end)
        else:
            beside = data_file(path, name)
            with reading(beside, packed=False) as data:
                raw = _voxels(data, fields, dtype, shape, 0)
        return Volume(scaled(path, raw, 1.0, 0.0), affine)


def write_metaimage(volume: Volume, path: PathLike, *, overwrite: bool = False) -> None:
    """Write .mha, or .mhd with a .zraw beside it; the voxels are compressed.

    Raises:
        OutputExistsError: A file is there and `overwrite` is not given.
        FileError: It cannot be written.
        GeometryError: The grid is sheared.
    """
    refuse_shear(volume, path)
    voxels = storable(volume)
    packed = pack_block(whole_bytes(voxels))
    target = Path(path)
    if target.suffix.lower() == ".mha":
        with atomic_file(path, overwrite=overwrite) as file:
            file.write(_header(volume, voxels, len(packed), "LOCAL"))
            file.write(packed)
        return
    data = target.with_suffix(".zraw")
    write_pair(path, _header(volume, voxels, len(packed), data.name), data, [packed], overwrite=overwrite)


def _fields(reader: ExactReader) -> tuple[Fields, int]:
    """The header's fields by their names in lower case, and where it ends."""
    start = reader.start(min(reader.size, LARGEST_HEADER_BYTES))
    fields: Fields = {}
    position = 0
    while "elementdatafile" not in fields:
        end = start.find(b"\n", position)
        if end < 0:
            raise FileError(
                reader.path, "this is no MetaImage file, or its header is cut", expected="ElementDataFile = …",
                fix="convert the image again, or copy the file again",
            )  # fmt: skip
        key, equals, value = start[position:end].decode("utf-8", BYTES_OF_NAMES).partition("=")
        key, position = key.strip().lower(), end + 1
        if equals and key in fields:
            raise FileError(reader.path, "a field stands twice in the header", key=key[:40], fix="keep one of them")
        if equals:
            fields[key] = value.strip()
    return fields, position


def _checked_kind(path: PathLike, fields: Fields) -> tuple[tuple[int, int, int], np.dtype[Any]]:
    for key, default, allowed, cause in (
        ("objecttype", "image", ("image",), "this holds no image"),
        ("binarydata", "true", ("true", "1"), "the voxels are written as text, not as binary data"),
        ("elementnumberofchannels", "1", ("1",), "colours or vectors: several numbers a voxel"),
        ("distanceunits", "mm", ("mm", "?"), "the geometry is not in millimetres"),
        ("elementtointensityfunctionslope", "1", ("1",), "a scaling of the values that programs do not agree on"),
        ("elementtointensityfunctionoffset", "0", ("0",), "a scaling of the values that programs do not agree on"),
    ):
        found = fields.get(key, default)
        if re.sub(r"\.0*$", "", found.lower()) not in allowed:
            fix = "convert the image to one scalar volume, binary, unscaled, in millimetres"
            raise FileError(path, cause, key=key, found=found[:40], fix=fix)
    name = fields.get("elementtype", "").upper()
    if name not in _TYPES:
        raise FileError(
            path, "voxels that are not one real number each", found=name[:40], expected=", ".join(_TYPES),
            fix="convert the image to one scalar volume",
        )  # fmt: skip
    _, order = _first(path, fields, ("binarydatabyteordermsb", "elementbyteordermsb")) or ("", "false")
    big = yes_or_no(path, "BinaryDataByteOrderMSB", order)
    sizes = integers(path, "DimSize", fields.get("dimsize", ""))
    if integer(path, "NDims", fields.get("ndims", str(len(sizes)))) != len(sizes):
        raise FileError(path, "NDims and DimSize contradict each other", fix="write the file anew from its source")
    return three_axes(path, sizes), np.dtype(_TYPES[name]).newbyteorder(">" if big else "<")


_FIELDS = {
    "transformmatrix": "TransformMatrix",
    "offset": "Offset",
    "elementspacing": "ElementSpacing",
    "elementsize": "ElementSpacing",  # the name that every program writes
}


def _affine(path: PathLike, fields: Fields) -> Affine:
    axes = len(fields["dimsize"].split())
    matrix = _numbers(path, fields, ("transformmatrix", "rotation", "orientation"), "how the image lies", axes * axes)
    origin = _numbers(path, fields, ("offset", "position", "origin"), "where the image lies", axes)
    sizes = ("elementspacing",) if "elementspacing" in fields else ("elementsize",)  # of a voxel itself, if both
    spacing = _numbers(path, fields, sizes, "how large its voxels are", axes)
    if not (spacing > 0).all():
        raise GeometryError(
            path, "a voxel size of 0 or below", key="ElementSpacing", found=fields.get("elementspacing", "")[:60],
            fix="set the voxel sizes",
        )  # fmt: skip
    directions = matrix.reshape(axes, axes).T[:3, :3]
    if not np.allclose(np.linalg.norm(directions, axis=0), 1.0, atol=1e-3):
        raise GeometryError(path, "directions whose length is not 1", key="TransformMatrix", fix="set them anew")
    return lps_affine(path, directions * spacing[:3], origin[:3])


def _first(path: PathLike, fields: Fields, keys: tuple[str, ...]) -> tuple[str, str] | None:
    """Key and text of a field that has several names."""
    found = [(key, fields[key]) for key in keys if key in fields]
    if len({text.lower() for _, text in found}) > 1:
        raise FileError(path, "two fields that mean the same contradict each other", found=" and ".join(dict(found)),
                        fix="keep the one that is right")  # fmt: skip
    return found[0] if found else None


def _numbers(path: PathLike, fields: Fields, keys: tuple[str, ...], what: str, count: int) -> NDArray[np.float64]:
    found = _first(path, fields, keys)
    if found is None:
        raise GeometryError(
            path,
            f"the header does not say {what}",
            expected=_FIELDS[keys[0]],
            fix="convert the image again with a program that does",
        )
    return numbers(path, *found, count)


def _voxels(
    reader: ExactReader, fields: Fields, dtype: np.dtype[Any], shape: tuple[int, int, int], begin: int
) -> NDArray[Any]:
    skip = integer(reader.path, "HeaderSize", fields.get("headersize") or "0")
    count = voxel_count(shape) * dtype.itemsize
    if not yes_or_no(reader.path, "CompressedData", fields.get("compresseddata", "false")):
        begin = begin if skip == 0 else reader.size - count if skip == -1 else skip
        if not 0 <= begin <= reader.size:
            raise FileError(reader.path, "the file is cut: it is smaller than its voxels", found=f"{reader.size} bytes",
                            expected=f"{count} bytes", fix="copy or download the file again")  # fmt: skip
        reader.seek(begin)
        return read_raw(reader, dtype, shape)
    stored = integer(reader.path, "CompressedDataSize", fields.get("compresseddatasize", str(reader.size - begin)))
    reader.seek(begin)
    packed = reader.take(max(0, stored), "voxels")
    reader.finish()
    check_ratio(reader.path, count, len(packed), "voxels")
    refuse_bomb(reader.path, len(packed), count)
    return in_order(np.frombuffer(unpack_block(reader.path, packed, count), dtype), shape)


def _header(volume: Volume, voxels: NDArray[Any], packed_bytes: int, data: str) -> bytes:
    affine, spacing = LPS_TO_RAS @ volume.affine, np.asarray(volume.spacing_mm)
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(packed_bytes),
        "TransformMatrix": " ".join(map(plain, (affine[:3, :3] / spacing).T.ravel())),
        "Offset": " ".join(map(plain, affine[:3, 3])),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": " ".join(map(plain, spacing)),
        "DimSize": " ".join(map(str, voxels.shape)),
        "ElementType": _NAMES[voxels.dtype.newbyteorder("=")],
        "ElementDataFile": data,
    }
    return "".join(f"{key} = {value}\n" for key, value in fields.items()).encode("utf-8", BYTES_OF_NAMES)
