"""One walk over the elements of a DICOM file: every length is compared with what is there."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from medp2p.errors import FileError

PathLike = str | os.PathLike[str]

PIXEL_DATA = 0x7FE00010
_FLOAT_PIXELS = (0x7FE00008, 0x7FE00009)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_BYTES = {b"OB", b"OW"}
"""What may be in fragments, pixels of an icon for one: their items hold no elements."""
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


class BeyondChunkError(Exception):
    """The header is longer than what was read of the file."""


def tag_name(tag: int) -> str:
    """A tag as people write it.

    Examples:
        >>> tag_name(0x00200032)
        '(0020,0032)'
    """
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


class Walk:
    """One walk over a stretch of elements; every length is compared with what is there."""

    def __init__(self, path: PathLike, content: bytes, coding: Coding, end: int) -> None:
        self.path = path
        self.content = content
        self.coding = coding
        self.end = end

    def group_two(self, position: int) -> tuple[dict[int, Element], int]:
        """The elements of the file's own header, and where they end."""
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
        if element.vr in _BYTES:
            return self._after_fragments(element.offset)
        walk = self if element.vr != b"UN" else Walk(self.path, self.content, Coding(explicit=False), self.end)
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
            found, position = Walk(self.path, self.content, self.coding, end).item(element.offset, depth)
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

    def _after_fragments(self, position: int) -> int:
        while True:
            tag, fragment = self.element(position)
            if tag == _SEQUENCE_END:
                return fragment.offset
            if tag != _ITEM or fragment.length < 0:
                raise self._damaged("a sequence without items", tag)
            position = fragment.offset + fragment.length

    def _need(self, position: int, count: int) -> bool:
        if position + count > self.end:
            raise FileError(self.path, "the file is cut within its header", fix="export or copy the file again")
        if position + count > len(self.content):
            raise BeyondChunkError
        return True

    def _uint(self, kind: str, position: int) -> int:
        return int(struct.unpack_from(f"{self.coding.order}{kind}", self.content, position)[0])

    def _damaged(self, cause: str, tag: int) -> FileError:
        return FileError(self.path, f"the file is damaged: {cause}", key=tag_name(tag), fix="export the file again")
