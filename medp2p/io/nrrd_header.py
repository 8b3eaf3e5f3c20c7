"""The header of NRRD files: fields, key/value pairs, and what they say of grid and voxels."""

import os
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from medp2p.errors import FileError, GeometryError
from medp2p.io.exact import ExactReader
from medp2p.io.text_header import (
    BYTES_OF_NAMES,
    LARGEST_HEADER_BYTES,
    LPS_TO_RAS,
    Affine,
    integers,
    lps_affine,
    numbers,
    three_axes,
)

PathLike = str | os.PathLike[str]

_TYPES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
TYPES = {name: dtype for dtype, names in _TYPES.items() for name in names.split(", ")}
"""Name in the header -> number type. Source: http://teem.sourceforge.net/nrrd/format.html."""

_TO_LPS = {
    "left-posterior-superior": np.diag([1.0, 1.0, 1.0]),
    "right-anterior-superior": np.diag([-1.0, -1.0, 1.0]),
    "left-anterior-superior": np.diag([1.0, -1.0, 1.0]),
}
_TO_LPS |= {"lps": _TO_LPS["left-posterior-superior"], "ras": _TO_LPS["right-anterior-superior"]}
_TO_LPS |= {"las": _TO_LPS["left-anterior-superior"]}
_VECTOR = re.compile(r"\(([^()]*)\)|(none)")
_VECTORS = re.compile(rf"\s*((?:{_VECTOR.pattern})\s*)+")
_OTHER_NAMES = {
    "datafile": "data file",
    "lineskip": "line skip",
    "byteskip": "byte skip",
    "spaceorigin": "space origin",
}


@dataclass(frozen=True)
class NrrdHeader:
    """What a NRRD header says.

    Attributes:
        shape: (X, Y, Z).
        layers: How many volumes lie side by side along the first axis, as in a segmentation; 1 for a scan.
        layered: Whether there is such an axis.
        affine: 4 x 4, RAS+, mm.
        dtype: Of the stored numbers, with their byte order.
        encoding: `raw`, `gzip` or `bzip2`.
        data_file: Name of the file with the voxels, or None where they follow the header.
        skip: Bytes before the voxels; -1: the voxels are the last bytes.
        pairs: The key/value pairs, such as those of a segmentation.
        end: Where the header ends.
    """

    shape: tuple[int, int, int]
    layers: int
    layered: bool
    affine: Affine
    dtype: np.dtype[Any]
    encoding: str
    data_file: str | None
    skip: int
    pairs: dict[str, str]
    end: int


def read_header(reader: ExactReader) -> NrrdHeader:
    """Read and check the header at the beginning of a file.

    Raises:
        FileError: It is no NRRD header, contradicts itself, or describes no scalar volume.
        GeometryError: It does not say how and where the image lies.
    """
    path = reader.path
    fields, pairs, end = _lines(reader)
    sizes = integers(path, "sizes", _field(path, fields, "sizes"))
    if integers(path, "dimension", _field(path, fields, "dimension")) != [len(sizes)]:
        raise FileError(path, "dimension and sizes contradict each other", fix="write the file anew from its source")
    to_lps = _space(path, fields)
    vectors = _vectors(path, fields, len(sizes))
    others = [axis for axis, vector in enumerate(vectors) if vector is None]
    spatial = [axis for axis, vector in enumerate(vectors) if vector is not None]
    if len(spatial) != 3 or len(others) > 1 or others not in ([], [0], [len(sizes) - 1]):
        raise GeometryError(path, "space directions are not those of a volume", found=len(spatial),
                            expected="three directions", fix="convert the image again")  # fmt: skip
    layers = sizes[others[0]] if others else 1
    if others == [len(sizes) - 1] and layers != 1:
        raise FileError(path, "more than one volume", found=layers, expected=1, fix="extract the one you mean")
    columns = to_lps @ np.array([vectors[axis] for axis in spatial]).T
    origin = to_lps @ _origin(path, fields)
    return NrrdHeader(
        shape=three_axes(path, [sizes[axis] for axis in spatial]),
        layers=three_axes(path, [layers, 1, 1])[0],
        layered=bool(others),
        affine=lps_affine(path, columns, origin),
        dtype=_dtype(path, fields),
        encoding=_encoding(path, fields),
        data_file=fields.get("data file"),
        skip=_skip(path, fields),
        pairs=pairs,
        end=end,
    )


def nrrd_directions(affine: Affine) -> tuple[str, str]:
    """`space directions` and `space origin` in LPS of an affine in RAS+."""
    lps = LPS_TO_RAS @ affine
    vectors = ["(" + ",".join(repr(float(value)) for value in column) + ")" for column in lps[:3, :].T]
    return " ".join(vectors[:3]), vectors[3]


def _lines(reader: ExactReader) -> tuple[dict[str, str], dict[str, str], int]:
    start = reader.start(min(reader.size, LARGEST_HEADER_BYTES))
    if not re.match(rb"NRRD000[1-5]\r?\n", start):
        raise FileError(reader.path, "this is no NRRD file", expected="NRRD0001 to NRRD0005 at its beginning",
                        fix="convert the image again")  # fmt: skip
    blank = re.search(rb"\r?\n\r?\n", start)
    if blank is None and len(start) < reader.size:
        raise FileError(reader.path, "the header has no end", fix="copy the file again")
    text = start[: blank.start() if blank else len(start)].decode("utf-8", BYTES_OF_NAMES)
    fields: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in text.replace("\r\n", "\n").split("\n")[1:]:
        found = re.fullmatch(r"([^:#][^:]*):(=| |$)(.*)", line)
        if line.startswith("#") or not line.strip():
            continue
        if found is None:
            raise FileError(
                reader.path, "a line of the header that is none", found=line[:20], fix="copy the file again"
            )
        key, kind, value = found.groups()
        into, key = (pairs, key) if kind == "=" else (fields, _field_name(key))
        if key in into:
            raise FileError(reader.path, "a field stands twice in the header", key=key[:40], fix="keep one of them")
        into[key] = value.strip()
    pairs = {key: value.encode("utf-8", BYTES_OF_NAMES).decode("utf-8", "replace") for key, value in pairs.items()}
    return fields, pairs, blank.end() if blank else reader.size


def _field_name(written: str) -> str:
    """The one name of a field that may be written in several ways."""
    name = written.strip().lower()
    return _OTHER_NAMES.get(name, name)


def _field(path: PathLike, fields: dict[str, str], key: str) -> str:
    if key not in fields:
        raise FileError(path, f"the header has no field {key}", fix="write the file anew from its source")
    return fields[key]


def _space(path: PathLike, fields: dict[str, str]) -> Affine:
    space = fields.get("space", "").lower().strip()
    if space not in _TO_LPS:
        raise GeometryError(
            path,
            "the header does not say in which space the image lies",
            found=space[:40] or "no space",
            expected="left-posterior-superior, right-anterior-superior or left-anterior-superior",
            fix="convert the image again with a program that writes it",
        )
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", ""))) - {"mm", ""}
    if units:
        raise GeometryError(path, "a geometry in other units", found=sorted(units), expected="mm", fix="convert it")
    return _TO_LPS[space]


def _vectors(path: PathLike, fields: dict[str, str], count: int) -> list[Affine | None]:
    if "space directions" not in fields:
        raise GeometryError(
            path, "the header does not say how the image lies", expected="space directions", fix="convert it again"
        )
    if not _VECTORS.fullmatch(fields["space directions"]):
        raise FileError(path, "the header holds no such numbers", key="space directions",
                        found=fields["space directions"][:60], fix="write the file anew from its source")  # fmt: skip
    found = [
        None if none else numbers(path, "space directions", inside.replace(",", " "), 3)
        for inside, none in _VECTOR.findall(fields["space directions"])
    ]
    if len(found) != count:
        raise GeometryError(path, "space directions and dimension contradict each other", found=len(found),
                            expected=count, fix="write the file anew from its source")  # fmt: skip
    return found


def _origin(path: PathLike, fields: dict[str, str]) -> Affine:
    if "space origin" not in fields:
        raise GeometryError(
            path, "the header does not say where the image lies", expected="space origin", fix="convert it again"
        )
    return numbers(path, "space origin", fields["space origin"].strip("() ").replace(",", " "), 3)


def _dtype(path: PathLike, fields: dict[str, str]) -> np.dtype[Any]:
    name = _field(path, fields, "type").lower()
    if name not in TYPES:
        raise FileError(path, "voxels that are not one real number each", key="type", found=name[:40],
                        fix="convert the image to one scalar volume")  # fmt: skip
    dtype = np.dtype(TYPES[name])
    endian = fields.get("endian", "").lower()
    if dtype.itemsize > 1 and endian not in ("little", "big"):
        raise FileError(path, "the header does not say which byte comes first", key="endian", found=endian[:20],
                        expected="little or big", fix="write the file anew from its source")  # fmt: skip
    return dtype.newbyteorder(">" if endian == "big" else "<")


def _encoding(path: PathLike, fields: dict[str, str]) -> str:
    name = _field(path, fields, "encoding").lower()
    known = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
    if name not in known:
        raise FileError(path, "an encoding that is not read", key="encoding", found=name[:20],
                        expected="raw, gzip or bzip2", fix="save the image with one of these")  # fmt: skip
    return known[name]


def _skip(path: PathLike, fields: dict[str, str]) -> int:
    lines = integers(path, "line skip", fields.get("line skip", "0"))
    skip = integers(path, "byte skip", fields.get("byte skip", "0"))
    if lines != [0] or len(skip) != 1 or skip[0] < -1:
        raise FileError(path, "line skip or byte skip of a kind that is not read", fix="save the image again")
    return skip[0]
