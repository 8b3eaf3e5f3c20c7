"""The elements of a DICOM file, walked by their lengths: none may claim more than the file holds.

Nothing of a value ever stands in an error: names, dates and identifiers are in there.
"""

import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError
from medp2p.io.dicom_walk import PIXEL_DATA, BeyondChunkError, Coding, Element, Walk, tag_name

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

_CHUNK = 1 << 18
_UID = re.compile(r"[0-9.]{1,64}")
_FIRST = re.compile(
    rb"\x02\0\0\0UL\x04\0"  # length of the file's own header
    rb"|\x08\0(\0\0(UL\x04\0|\x04\0\0\0)|\x05\0(CS..|..\0\0)|\x08\0(CS..|..\0\0)|\x16\0(UI..|..\0\0))",
    re.DOTALL,
)
"""How a file without preamble begins: its header, the length of a group, character set, image type or SOP class."""


def is_uid(text: str) -> bool:
    """Whether a text has the letters of a UID; leading zeros, which old devices write, are no obstacle.

    Examples:
        >>> is_uid("1.2.003"), is_uid("DOE^JANE"), is_uid("")
        (True, False, False)
    """
    return _UID.fullmatch(text) is not None


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

    def uid(self, tag: int) -> str:
        """A UID, or nothing where other letters stand in its place: they may be a name."""
        return word if is_uid(word := self.word(tag)) else ""

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
                values = np.array([_number(word) for word in self.words(tag)], np.float64)
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
        walk = Walk(self._path, self._content, coding, end)
        return [Elements(self._path, self._content, found, coding) for found in walk.items(element.offset)]


@dataclass(frozen=True)
class DicomHeader:
    """Everything of a DICOM file but its pixels."""

    syntax: str
    sop_class: str
    elements: Elements
    pixels: Element | None
    coding: Coding


def read_dicom_header(path: PathLike, file: BinaryIO, size: int) -> DicomHeader | None:
    """Read up to the pixels; None where the file does not say that it is DICOM.

    A file without the preamble says so by its first element (PS3.10 7.1 demands one; old archives write none).

    Args:
        path: The file, for messages.
        file: Open at its beginning.
        size: Its length in bytes.

    Raises:
        FileError: It is cut or damaged, an element claims more than the file holds, or its syntax is not read.
    """
    content = file.read(min(_CHUNK, size))
    start = 132 if content[128:132] == b"DICM" else 0
    if start == 0 and not _FIRST.match(content):
        return None
    try:
        return _parsed(path, content, size, start)
    except BeyondChunkError:
        file.seek(0)
        return _parsed(path, file.read(size), size, start)


def _parsed(path: PathLike, content: bytes, size: int, start: int) -> DicomHeader:
    walk = Walk(path, content, Coding(), size)
    meta_found, position = walk.group_two(start)
    meta = Elements(path, content, meta_found, Coding())
    syntax = meta.word(0x00020010) if meta_found else _bare_syntax(content)
    if syntax not in (IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, *COMPRESSED):
        raise FileError(
            path,
            "a transfer syntax that is not read",
            found=syntax if is_uid(syntax) else "none",
            fix="export the series uncompressed, or as RLE, JPEG lossless, JPEG-LS or JPEG 2000",
        )
    coding = Coding(explicit=syntax != IMPLICIT_LITTLE, big=syntax == EXPLICIT_BIG)
    found = Walk(path, content, coding, size).data_set(position)
    elements = Elements(path, content, found, coding)
    sop_class = elements.word(0x00080016) or meta.word(0x00020002)
    return DicomHeader(syntax, sop_class, elements, found.get(PIXEL_DATA), coding)


def _bare_syntax(content: bytes) -> str:
    """Of a data set without a header of the file: by whether its first element names its representation."""
    return EXPLICIT_LITTLE if content[4:6].isalpha() else IMPLICIT_LITTLE


def _number(word: str) -> float:
    """What a decimal or integer string says; Python would take underscores too.

    Raises:
        ValueError: It is no number.
    """
    if "_" in word:
        raise ValueError
    return float(word)
