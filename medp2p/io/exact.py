"""Exact reading: a stream ends where its header says, every checksum holds, and nothing but a regular file is opened.

It must never take memory for more than a file can hold, and never return fewer bytes than were asked for.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError, Medp2pError
from medp2p.io.gzip_stream import DAMAGED, Readable, unpacking
from medp2p.io.machine import file_error, memory_error

_CHUNK = 1 << 20
_DEFLATE_RATIO = 1032
"""More than this many bytes for one never come out of deflate (258 bytes from two bits)."""
_BOMB_BYTES, _BOMB_RATIO = 1 << 30, 500
"""Above both a compressed file is taken for a bomb: scans shrink to a half or a tenth, sparse label maps to 1/300."""


_POINTERS = (b"version https://git-lfs.", b"/annex/objects/", b"../.git/annex/", b".git/annex/")
"""How the file begins that stands in a working copy for one that was not fetched."""
_NIFTI_STARTS = tuple(size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big"))


class ExactReader:
    """A stream of bytes that is read in known portions and must end after the last.

    Attributes:
        path: The file, as the user typed it.
        size: Bytes of the file on disk.
        packed: Whether the stream is unpacked from gzip.
        claimed: Bytes that its header says it holds, as far as `expect` was asked.
    """

    def __init__(self, path: str | os.PathLike[str], raw: FileIO, size: int, *, packed: bool) -> None:
        self.path = path
        self.size = size
        self.packed = packed
        self.claimed: int | None = None
        self._raw = raw
        self._stream: Readable = unpacking(raw) if packed else raw
        self._read = 0

    def take(self, count: int, what: str = "header") -> bytes:
        """The next bytes, all of them.

        Raises:
            FileError: The file ends before.
        """
        array = self.fill(np.empty(self.expect(count, what), np.uint8), what)
        return array.tobytes()

    def fill(self, array: NDArray[Any], what: str = "voxels") -> NDArray[Any]:
        """Read into a contiguous array until it is full, and return it.

        Raises:
            FileError: The file ends before, or its compressed data are damaged.
        """
        view = array.reshape(-1, order="A").view(np.uint8).data
        done = 0
        with self._damage():
            while done < len(view):
                count = self._stream.readinto(view[done : done + _CHUNK])
                if not count:
                    raise self._cut(what, self._read + done, self._read + len(view))
                done += count
        self._read += done
        return array

    def start(self, limit: int) -> bytes:
        """The first bytes of a file that is not packed, at most so many; the reading begins anew after `seek`."""
        self.seek(0)
        with self._damage():
            return self._stream.read(limit)

    def seek(self, position: int) -> None:
        """Go to a place in a file that is not packed."""
        self._raw.seek(position)
        self._read = position

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._read

    def unpacked(self) -> "ExactReader":
        """What is left of a file that is not packed, unpacked from gzip."""
        return ExactReader(self.path, self._raw, self.size - self._read, packed=True)

    def skip(self, count: int, what: str = "header") -> None:
        """Pass over bytes, which must be there."""
        while count > 0:
            step = min(count, _CHUNK)
            self.take(step, what)
            count -= step

    def expect(self, count: int, what: str = "voxels") -> int:
        """The count itself, if so many bytes can be left; asked before memory is taken for them.

        Raises:
            FileError: The file is too small for it, or so much smaller that it must be a bomb.
        """
        self.claimed = wanted = self._read + count
        if not self.packed and wanted > self.size:
            raise self._cut(what, self.size, wanted)
        if self.packed:
            check_ratio(self.path, wanted, self.size, what)
            refuse_bomb(self.path, self.size, wanted)
        return count

    def finish(self, what: str = "voxels") -> None:
        """Make sure that nothing follows; at the end of a gzip stream this is what checks its checksum and length.

        Raises:
            FileError: Bytes follow, or a checksum or length is wrong.
        """
        with self._damage():
            left = self._stream.read(1)
        if left:
            raise FileError(
                self.path,
                f"there are more data than the header says: bytes follow the {what}",
                expected=f"{self._read} bytes",
                fix="the header and the data belong to different images; get the file anew",
            )

    def _cut(self, what: str, found: int, expected: int) -> FileError:
        return FileError(
            self.path,
            f"the file is cut: it ends within the {what}",
            found=f"{found} bytes",
            expected=f"{expected} bytes",
            fix="copy or download the file again",
        )

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """What the unpacking says, in our words."""
        try:
            yield
        except Medp2pError:
            raise
        except EOFError:
            raise FileError(
                self.path, "the file is cut: its compressed data end early", fix="copy or download the file again"
            ) from None
        except DAMAGED as error:
            raise FileError(
                self.path, f"the compressed data are damaged: {_reason(error)}", fix="copy or download the file again"
            ) from None


def check_ratio(path: str | os.PathLike[str], wanted: int, size: int, what: str) -> None:
    """Refuse what no deflated file of so many bytes can unpack to.

    Raises:
        FileError: The header claims more.
    """
    if wanted > size * _DEFLATE_RATIO:
        raise FileError(
            path,
            f"the file is cut or its header is wrong: it claims more {what} than the compressed file can hold",
            found=f"{size} bytes",
            expected=f"data of {wanted} bytes",
            fix="get the file anew from where it came",
        )


@contextmanager
def reading(path: str | os.PathLike[str], *, packed: bool = False) -> Iterator[ExactReader]:
    """An ExactReader over a regular file.

    Args:
        path: Any file; pipes, devices and folders are refused before they are opened.
        packed: Unpack gzip: several members and padding with zeros are valid, anything else after them is not.

    Raises:
        FileError: The file cannot be read, is empty, is no gzip file though it should be (or the reverse), or changed
            while it was read.
    """
    reader: ExactReader | None = None
    try:
        with open_regular(path) as raw:
            before = os.fstat(raw.fileno())
            _check_magic(path, raw, packed=packed)
            reader = ExactReader(path, raw, before.st_size, packed=packed)
            yield reader
            after = os.fstat(raw.fileno())
    except Medp2pError:
        raise
    except OSError as error:
        raise file_error(path, error) from None
    except MemoryError:
        raise memory_error(path, reader.claimed if reader is not None else None) from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise FileError(path, "the file changed while it was read", fix="wait until it is written, then try again")


def refuse_bomb(path: str | os.PathLike[str], packed_bytes: int, wanted: int) -> None:
    """Raise where compressed data would unpack to far more than a scan could.

    Raises:
        FileError: They would.
    """
    if wanted > max(_BOMB_BYTES, packed_bytes * _BOMB_RATIO):
        raise FileError(
            path,
            f"{packed_bytes} bytes that unpack to {wanted}: taken for a decompression bomb",
            fix="if it is a real image, store it without compression",
        )


def file_size(path: str | os.PathLike[str]) -> int:
    """Bytes of a regular file.

    Raises:
        FileError: There is none.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - the path may be a string
    except (OSError, ValueError) as error:
        raise file_error(path, error if isinstance(error, OSError) else OSError(str(error))) from None
    if stat.S_ISDIR(found.st_mode):
        raise FileError(path, "this is a folder", expected="a file", fix="name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise FileError(path, "this is no regular file", found="a pipe or device", expected="a file", fix="give a file")
    if not found.st_size:
        raise FileError(path, "the file is empty", found="0 bytes", fix="copy or download the file again")
    return found.st_size


def read_small(path: str | os.PathLike[str], limit_bytes: int) -> bytes:
    """The whole of a small file, such as a label table.

    Raises:
        FileError: It is larger than the limit, or cannot be read.
    """
    size = file_size(path)
    if size > limit_bytes:
        raise FileError(path, "too large for a text file", found=f"{size} bytes", expected=f"at most {limit_bytes}",
                        fix="is this the right file?")  # fmt: skip
    with reading(path) as reader:
        return reader.take(size, "text")


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[FileIO]:
    """A regular file, open for reading without a buffer; never a pipe or a device, which might wait or act.

    Raises:
        FileError: It is none, is empty, or is not there.
    """
    file_size(path)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with FileIO(descriptor, "rb") as raw:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileError(path, "this is no regular file", expected="a file", fix="give a file")
        yield raw


def _check_magic(path: str | os.PathLike[str], raw: FileIO, *, packed: bool) -> None:
    start = raw.read(32)
    raw.seek(0)
    name = Path(path).name
    if start.startswith(_POINTERS):
        raise FileError(path, "this only points to the file, which Git LFS or git-annex holds elsewhere",
                        fix="fetch it with git lfs pull, git annex get or datalad get")  # fmt: skip
    if packed and start[:2] != b"\x1f\x8b":
        plain = name[:-3] if start[:4] in _NIFTI_STARTS else ""
        fix = f"name it as what it is: {plain}" if plain else "name it as what it is, or download it again"
        raise FileError(path, "this is no gzip file, though its name says so", fix=fix)
    if packed and (len(start) < 4 or start[2] != 8 or start[3] & 0xE0):
        raise FileError(path, "the gzip header is damaged", fix="copy or download the file again")
    if not packed and start[:2] == b"\x1f\x8b":
        fix = f"add .gz: {name}.gz" if name.lower().endswith(".nii") else "save the image anew, or unpack it"
        raise FileError(path, "this is a gzip file, though its name or header does not say so", fix=fix)


def _reason(error: Exception) -> str:
    said = str(error).lower()
    if "crc" in said:
        return "the checksum is wrong"
    if "length" in said:
        return "the length is wrong"
    if "not a gzipped file" in said:
        return "something that is no gzip data follows"
    return "they cannot be unpacked"
