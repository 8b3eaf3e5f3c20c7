"""What MetaImage and NRRD share: numbers in a text header, a data file beside it, and LPS turned into RAS."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError, GeometryError
from medp2p.io.atomic import atomic_file, refuse_existing
from medp2p.io.exact import ExactReader
from medp2p.io.temporary import identity_of

PathLike = str | os.PathLike[str]
Affine = NDArray[np.float64]
LPS_TO_RAS: Affine = np.diag([-1.0, -1.0, 1.0, 1.0])
LARGEST_HEADER_BYTES = 4_000_000
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+.0-9eE]+")  # float() takes more: 1_0, nan, digits of other scripts
_NO, _YES = ("false", "0"), ("true", "1")
BYTES_OF_NAMES = "surrogateescape"
"""How letters of file names that are no UTF-8 stand in a header: byte by byte, as the system has them."""


def numbers(path: PathLike, key: str, text: str, count: int | None = None) -> NDArray[np.float64]:
    """Finite numbers with blanks between them.

    Raises:
        FileError: Something else, or another number of them.
    """
    try:
        values = np.array([float(word if _NUMBER.fullmatch(word) else "") for word in text.split()], np.float64)
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all() or (count is not None and len(values) != count):
        raise FileError(
            path,
            "the header holds no such numbers",
            key=key,
            found=text[:60],
            expected="finite numbers" if count is None else f"{count} finite numbers",
            fix="write the file anew from its source",
        )
    return values


def integers(path: PathLike, key: str, text: str) -> list[int]:
    """Whole numbers with blanks between them.

    Raises:
        FileError: Something else.
    """
    if not all(_INTEGER.fullmatch(word) for word in text.split()):
        raise FileError(path, "no whole numbers", key=key, found=text[:60], fix="write the file anew from its source")
    return [int(word) for word in text.split()]


def integer(path: PathLike, key: str, text: str) -> int:
    """One whole number.

    Raises:
        FileError: Something else, or not one.
    """
    found = integers(path, key, text)
    if len(found) != 1:
        raise FileError(path, "no whole number", key=key, found=text[:60], fix="write the file anew from its source")
    return found[0]


def yes_or_no(path: PathLike, key: str, text: str) -> bool:
    """A word that is true or false.

    Raises:
        FileError: Something else.
    """
    word = text.lower()
    if word not in (*_YES, *_NO):
        raise FileError(path, "neither true nor false", key=key, found=text[:60],
                        fix="write the file anew from its source")  # fmt: skip
    return word in _YES


def lps_affine(path: PathLike, columns: NDArray[np.float64], origin: Sequence[float] | NDArray[np.float64]) -> Affine:
    """The affine in RAS+ of a grid that is given in LPS.

    Args:
        path: The file, for messages.
        columns: 3 x 3, mm: how far one voxel goes along each axis of the array, a column each.
        origin: Centre of the first voxel.

    Raises:
        GeometryError: The columns span no volume.
    """
    lengths = np.linalg.norm(columns, axis=0)
    if not lengths.all() or abs(np.linalg.det(columns / lengths)) < 1e-3:
        raise GeometryError(
            path, "the directions are singular: an axis has no length, or two coincide", fix="set them anew"
        )
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, origin
    return LPS_TO_RAS @ affine


def data_file(path: PathLike, name: str) -> Path:
    """The file with the voxels, which lies beside its header and nowhere else.

    A name that could also stand for several files (`LIST …`, `a%03d.raw 1 9 1`) is that of a file where there is one.

    Raises:
        FileError: The name leads to another folder, or stands for several files.
    """
    folder, bare = Path(path).parent, name.strip().removeprefix("./")
    elsewhere = not bare or bare in (".", "..") or bool(re.search(r"[/\\\0]", bare))
    several = not elsewhere and ("%" in bare or bare.upper().split()[0] == "LIST") and not (folder / bare).exists()
    if elsewhere or several:
        raise FileError(
            path,
            "the header names its data file in a way that is not followed",
            expected="one file in the same folder",
            fix="put the data file beside the header and write its bare name",
        )
    found = folder / bare
    if found.is_symlink() and found.resolve().parent != folder.resolve():
        raise FileError(
            path, "the data file is a link to another folder", found=bare[:60], fix="copy it beside the header"
        )
    if not found.exists():
        raise FileError(path, "the data file is not there", expected=bare[:60], fix="copy it beside the header")
    return found


def read_raw(reader: ExactReader, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Voxels as they lie in the file, first axis fastest, in native byte order; the file must end after them."""
    count = voxel_count(shape)
    reader.expect(count * dtype.itemsize)
    flat = reader.fill(np.empty(count, dtype))
    reader.finish()
    return in_order(flat, shape)


def in_order(flat: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A flat array in native byte order and its shape, first axis fastest."""
    return flat.astype(flat.dtype.newbyteorder("="), copy=False).reshape(shape, order="F")


def voxel_count(shape: tuple[int, ...]) -> int:
    """Product in Python's integers, which have no largest."""
    count = 1
    for length in shape:
        count *= length
    return count


def three_axes(path: PathLike, sizes: Sequence[int]) -> tuple[int, int, int]:
    """The shape, axes of length 1 beyond the third dropped.

    Raises:
        FileError: A length below 1, or anything but one volume.
    """
    if len(sizes) < 3 or any(size < 1 for size in sizes) or any(size != 1 for size in sizes[3:]):
        raise FileError(
            path,
            "this is not one volume",
            found=" x ".join(map(str, sizes)),
            expected="three axes",
            fix="give one scalar volume; a single slice has a third axis of length 1",
        )
    return sizes[0], sizes[1], sizes[2]


def write_pair(
    path: PathLike,
    header: bytes,
    data: Path,
    chunks: Iterable[bytes | memoryview],
    *,
    overwrite: bool,
    pack: Callable[[IO[bytes]], IO[bytes]] | None = None,
) -> None:
    """Write a header and its data file: both are on the disk before either gets its name.

    While an old pair is replaced its header is away, so that a kill leaves no header with the data of another image.

    Raises:
        OutputExistsError: One of them is there and `overwrite` is not given.
        FileError: One of them cannot be written.
    """

    def put_header_aside(_: Path) -> None:
        if overwrite:
            Path(path).unlink(missing_ok=True)

    refuse_existing(path, overwrite=overwrite)
    refuse_existing(data, overwrite=overwrite)
    before, data_before = identity_of(path), identity_of(data)
    try:
        with atomic_file(path, overwrite=overwrite) as head:
            head.write(header)
            head.flush()
            with atomic_file(data, overwrite=overwrite, check=put_header_aside) as file:
                if pack is None:
                    file.writelines(chunks)
                else:
                    with pack(file) as stream:
                        stream.writelines(chunks)
    except BaseException:
        header_is_new = identity_of(path) not in (None, before)  # a signal may come when all is done
        if not header_is_new and identity_of(data) != data_before:
            data.unlink(missing_ok=True)
        raise


def plain(value: float) -> str:
    """A number that reads back exactly, without a needless fraction.

    Examples:
        >>> plain(2.0), plain(-0.1), plain(-0.0)
        ('2', '-0.1', '0')
    """
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
