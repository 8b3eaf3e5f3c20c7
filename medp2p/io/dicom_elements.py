"""The elements of a DICOM file, walked by their lengths: none may claim more than the file holds.

Nothing of a value ever stands in an error: names, dates and identifiers are in there.
"""

import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError

PathLike = str | os.PathLike[str]

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
COMPRESSED = {
    "1.2.840.10008.1.2.5": "RLE",
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    "1.2.840.10008.1.2.4.51": "JPEG extended",
    "1.2.840.10008.1.2.4.57": "JPEG lossless",
    "1.2.840.10008.1.2.4.70": "JPEG lossless",
    "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
LOSSY = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91"}

PIXEL_DATA = 0x7FE00010
_FLOAT_PIXELS = (0x7FE00008, 0x7FE00009)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_CHUNK = 1 << 18
_DEEPEST = 20


@dataclass(frozen=True)
class Element:
    """Where the value of an element lies: its representation, place and length (-1: up to a delimiter)."""

    vr: bytes
    offset: int
    length: int


@dataclass(frozen=True)
class Coding:
    """How elements are written."""

    explicit: bool = True
    big: bool = False

    @property
    def order(self) -> str:
        """For struct."""
        return ">" if self.big else "<"


class Elements:
    """The elements of a data set or of an item, by their tag."""

    def __init__(self, path: PathLike, content: bytes, found: Mapping[int, Element], coding: Coding) -> None:
        self._path = path
        self._content = content
        self._found = found
        self._coding = coding

    def __contains__(self, tag: int) -> bool:
        return bool(self.raw(tag).strip(b"\0 ")) or self.items(tag) != []

    def element(self, tag: int) -> Element | None:
        """Where an element lies."""
        return self._found.get(tag)

    def raw(self, tag: int) -> bytes:
        """The bytes of a value, none where it is absent."""
        element = self._found.get(tag)
        return b"" if element is None else self._content[element.offset : element.offset + max(0, element.length)]

    def words(self, tag: int) -> list[str]:
        """The values of a text element, without padding."""
        text = self.raw(tag).decode("latin-1").strip("\0 ")
        return [word.strip("\0 ") for word in text.split("\\")] if text else []

    def word(self, tag: int) -> str:
        """The first value of a text element, or nothing."""
        return next(iter(self.words(tag)), "")

    def numbers(self, tag: int) -> NDArray[np.float64]:
        """The values of a decimal or integer string (DS, IS) or of doubles (FD).

        Raises:
            FileError: They are no finite numbers.
        """
        element = self._found.get(tag)
        try:
            if element is not None and element.vr == b"FD":
                values = np.frombuffer(self.raw(tag), f"{self._coding.order}f8").astype(np.float64)
            else:
                values = np.array([float(word) for word in self.words(tag)], np.float64)
        except ValueError:
            values = np.array([np.nan])
        if not np.isfinite(values).all():
            raise FileError(self._path, "no finite numbers", key=tag_name(tag), fix="export the series again")
        return values

    def short(self, tag: int) -> int | None:
        """An unsigned 16-bit number, None where it is absent."""
        raw = self.raw(tag)
        return int(struct.unpack(f"{self._coding.order}H", raw[:2])[0]) if len(raw) >= 2 else None

    def items(self, tag: int) -> list["Elements"]:
        """The items of a sequence; none where it is absent.

        Raises:
            FileError: Its lengths contradict each other.
        """
        element = self._found.get(tag)
        if element is None or element.vr not in (b"SQ", b"UN", b""):
            return []
        coding = Coding(explicit=False) if element.vr == b"UN" else self._coding
        end = len(self._content) if element.length < 0 else element.offset + element.length
        walk = _Walk(self._path, self._content, coding, end)
        return [Elements(self._path, self._content, found, coding) for found in walk.items(element.offset)]


@dataclass(frozen=True)
class DicomHeader:
    """Everything of a DICOM file but its pixels."""

    syntax: str
    sop_class: str
    elements: Elements
    pixels: Element | None
    coding: Coding


def read_dicom_header(path: PathLike, file: FileIO, size: int) -> DicomHeader | None:
    """Read up to the pixels; None where the file does not say that it is DICOM.

    Args:
        path: The file, for messages.
        file: Open at its beginning.
        size: Its length in bytes.

    Raises:
        FileError: It is cut or damaged, an element claims more than the file holds, or its syntax is not read.
    """
    content = file.read(min(_CHUNK, size))
    if content[128:132] != b"DICM":
        return None
    try:
        return _parsed(path, content, size)
    except _BeyondChunkError:
        file.seek(0)
        return _parsed(path, file.read(size), size)


def tag_name(tag: int) -> str:
    """A tag as people write it.

    Examples:
        >>> tag_name(0x00200032)
        '(0020,0032)'
    """
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


class _BeyondChunkError(Exception):
    """The header is longer than what was read of the file."""


def _parsed(path: PathLike, content: bytes, size: int) -> DicomHeader:
    walk = _Walk(path, content, Coding(), size)
    meta_found, position = walk.group_two(132)
    meta = Elements(path, content, meta_found, Coding())
    syntax = meta.word(0x00020010)
    if syntax not in (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, *COMPRESSED):
        raise FileError(
            path,
            "a transfer syntax that is not read",
            found=syntax if re.fullmatch(r"[0-9.]{1,64}", syntax) else "none",
            fix="export the series uncompressed, or as RLE, JPEG lossless, JPEG-LS or JPEG 2000",
        )
    coding = Coding(explicit=syntax != IMPLICIT_LITTLE, big=syntax == EXPLICIT_BIG)
    found = _Walk(path, content, coding, size).data_set(position)
    elements = Elements(path, content, found, coding)
    sop_class = elements.word(0x00080016) or meta.word(0x00020002)
    return DicomHeader(syntax, sop_class, elements, found.get(PIXEL_DATA), coding)


class _Walk:
    """One walk over a stretch of elements; every length is compared with what is there."""

    def __init__(self, path: PathLike, content: bytes, coding: Coding, end: int) -> None:
        self.path = path
        self.content = content
        self.coding = coding
        self.end = end

    def group_two(self, position: int) -> tuple[dict[int, Element], int]:
        found: dict[int, Element] = {}
        while position < self.end and self._need(position, 2) and self._uint("H", position) == 2:
            tag, element = self.element(position)
            found[tag] = element
            position = element.offset + element.length
        return found, position

    def data_set(self, position: int) -> dict[int, Element]:
        """The elements up to the pixels, which may lie beyond what was read."""
        found: dict[int, Element] = {}
        while position < self.end:
            tag, element = self.element(position)
            if tag in found:
                raise self._damaged("an element stands twice", tag)
            found[tag] = element
            if tag == PIXEL_DATA or tag in _FLOAT_PIXELS:
                break
            position = self.after(element)
        return found

    def element(self, position: int) -> tuple[int, Element]:
        """The element at a position, its length checked."""
        self._need(position, 8)
        tag = self._uint("H", position) << 16 | self._uint("H", position + 2)
        vr = self.content[position + 4 : position + 6] if self.coding.explicit and tag >> 16 != 0xFFFE else b""
        if vr in _LONG:
            self._need(position, 12)
            length, start = self._uint("I", position + 8), position + 12
        elif vr:
            length, start = self._uint("H", position + 6), position + 8
        else:
            length, start = self._uint("I", position + 4), position + 8
        if vr and not vr.isalpha():
            raise self._damaged("an element is not to be understood", tag)
        if length == _UNDEFINED:
            return tag, Element(vr, start, -1)
        if length > self.end - start:
            raise FileError(
                self.path,
                f"the file is cut or damaged: element {tag_name(tag)} claims more than is left",
                found=f"{max(0, self.end - start)} bytes",
                expected=f"{length} bytes",
                fix="export or copy the file again",
            )
        return tag, Element(vr, start, length)

    def after(self, element: Element, depth: int = 0) -> int:
        """Where the next element begins."""
        if element.length >= 0:
            return element.offset + element.length
        walk = self if element.vr != b"UN" else _Walk(self.path, self.content, Coding(explicit=False), self.end)
        return max((end for _, end in walk.item_ends(element.offset, depth + 1)), default=element.offset)

    def items(self, position: int) -> Iterator[dict[int, Element]]:
        """The elements of each item of a sequence."""
        for found, _ in self.item_ends(position, 1):
            if found is not None:
                yield found

    def item_ends(self, position: int, depth: int) -> Iterator[tuple[dict[int, Element] | None, int]]:
        """Each item with where it ends; with the sequence's delimiter comes None."""
        if depth > _DEEPEST:
            raise self._damaged("sequences in sequences without end", _ITEM)
        while position < self.end:
            tag, element = self.element(position)
            if tag == _SEQUENCE_END:
                yield None, element.offset
                return
            if tag != _ITEM:
                raise self._damaged("a sequence without items", tag)
            end = self.end if element.length < 0 else element.offset + element.length
            found, position = _Walk(self.path, self.content, self.coding, end).item(element.offset, depth)
            yield found, position

    def item(self, position: int, depth: int) -> tuple[dict[int, Element], int]:
        """The elements of one item, up to its end or its delimiter."""
        found: dict[int, Element] = {}
        while position < self.end:
            tag, element = self.element(position)
            if tag == _ITEM_END:
                return found, element.offset
            found[tag] = element
            position = self.after(element, depth)
        return found, position

    def _need(self, position: int, count: int) -> bool:
        if position + count > self.end:
            raise FileError(self.path, "the file is cut within its header", fix="export or copy the file again")
        if position + count > len(self.content):
            raise _BeyondChunkError
        return True

    def _uint(self, kind: str, position: int) -> int:
        return int(struct.unpack_from(f"{self.coding.order}{kind}", self.content, position)[0])

    def _damaged(self, cause: str, tag: int) -> FileError:
        return FileError(self.path, f"the file is damaged: {cause}", key=tag_name(tag), fix="export the file again")
