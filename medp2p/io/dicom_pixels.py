"""Pixels of DICOM files: stored numbers of one frame, whatever their transfer syntax, masked to the bits that count."""

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError
from medp2p.io.codestream import frame_size
from medp2p.io.dicom_elements import COMPRESSED
from medp2p.io.dicom_walk import Element
from medp2p.io.exact import open_regular

PathLike = str | os.PathLike[str]
_SECONDARY_CAPTURE = b"1.2.840.10008.5.1.4.1.1.7"
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)


@dataclass(frozen=True)
class PixelLayout:
    """How the pixels of a file are stored.

    Attributes:
        rows: Height of a frame.
        columns: Its width.
        frames: How many there are.
        allocated: Bits a pixel takes: 8, 16 or 32.
        stored: Bits of it that count.
        high_bit: The highest of them.
        signed: Whether they are a two's complement number.
        syntax: UID of the transfer syntax.
        big: Whether the first byte is the highest.
        place: Where the pixels lie in the file.
    """

    rows: int
    columns: int
    frames: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    syntax: str
    big: bool
    place: Element

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame when it is not compressed."""
        return self.rows * self.columns * self.allocated // 8

    @property
    def raw_dtype(self) -> np.dtype[Any]:
        """Unsigned, native."""
        return np.dtype(f"u{self.allocated // 8}")


def check_length(path: PathLike, layout: PixelLayout, file_bytes: int) -> None:
    """Compare what the header says with what is there.

    Raises:
        FileError: The pixels are cut, or more or fewer than the header says.
    """
    wanted = layout.frame_bytes * layout.frames
    if layout.syntax in COMPRESSED:
        if layout.place.length >= 0:
            raise FileError(path, "compressed pixels that are not in fragments", fix="export the file again")
        if wanted > max(1 << 30, 500 * file_bytes):
            raise FileError(path, f"{file_bytes} bytes that unpack to {wanted}: taken for a decompression bomb",
                            fix="export the series uncompressed")  # fmt: skip
        return
    if not wanted <= layout.place.length <= wanted + wanted % 2:
        raise FileError(
            path,
            "the pixels are not as many as the header says",
            found=f"{layout.place.length} bytes",
            expected=f"{wanted} bytes",
            fix="export or copy the file again",
        )


def raw_frames(path: PathLike, layout: PixelLayout) -> list[NDArray[Any]]:
    """Every frame as it is stored: unsigned numbers of shape (rows, columns), no bit masked yet.

    Raises:
        FileError: The file is cut or changed, or a frame cannot be unpacked.
    """
    with open_regular(path) as file:
        file.seek(layout.place.offset)
        if layout.syntax in COMPRESSED:
            rest = file.read(os.fstat(file.fileno()).st_size - layout.place.offset)
            return [_unpacked(path, layout, frame) for frame in _frames(path, layout, rest)]
        dtype = layout.raw_dtype.newbyteorder(">" if layout.big else "<")
        wanted = layout.frame_bytes * layout.frames
        words = layout.big and layout.allocated == 8 and layout.place.vr == b"OW"  # two pixels each, the second first
        content = np.empty(wanted + (wanted % 2 if words else 0), np.uint8)
        view = content.data
        done = 0
        while done < len(view):
            count = file.readinto(view[done:])
            if not count:
                raise FileError(path, "the file is cut: it ends within the pixels", fix="copy the file again")
            done += count
    if words:
        content = content.reshape(-1, 2)[:, ::-1].reshape(-1)[:wanted]
    array = content.view(dtype).reshape(layout.frames, layout.rows, layout.columns)
    return list(array.astype(layout.raw_dtype, copy=False))


def stored_numbers(raw: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """The bits that count as numbers, sign-extended where they are signed.

    Examples:
        >>> layout = PixelLayout(1, 1, 1, 16, 12, 11, True, "", False, Element(b"OW", 0, 2))
        >>> stored_numbers(np.array([[0xFFFF, 0x7FF, 0xF001]], np.uint16), layout).tolist()
        [[-1, 2047, 1]]
    """
    values: NDArray[Any] = raw >> np.array(layout.high_bit + 1 - layout.stored, raw.dtype)
    if layout.stored < layout.allocated:
        values &= np.array((1 << layout.stored) - 1, raw.dtype)
    if not layout.signed:
        return values
    sign = np.array(1 << (layout.stored - 1), raw.dtype)
    signed: NDArray[Any] = (values ^ sign) - sign
    return signed.view(np.dtype(f"i{layout.allocated // 8}"))


def _frames(path: PathLike, layout: PixelLayout, rest: bytes) -> list[bytes]:
    """The compressed frames: the fragments between the table of offsets and the delimiter, put together."""
    table, *fragments = list(_fragments(path, rest)) or [(0, b"")]
    if layout.frames == 1 and fragments:
        return [b"".join(fragment for _, fragment in fragments)]
    if len(fragments) == layout.frames:
        return [fragment for _, fragment in fragments]
    first = fragments[0][0] if fragments else 0
    starts = [first + int(offset) for offset in np.frombuffer(table[1][: len(table[1]) // 4 * 4], "<u4")]
    if len(starts) != layout.frames or starts != sorted(starts):
        raise FileError(path, "compressed frames and their number contradict each other", found=len(fragments),
                        expected=layout.frames, fix="export the series again")  # fmt: skip
    ends = [*starts[1:], len(rest) + 1]
    return [
        b"".join(fragment for position, fragment in fragments if start <= position < end)
        for start, end in zip(starts, ends, strict=True)
    ]


def _fragments(path: PathLike, rest: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 8 <= len(rest):
        group, number, length = struct.unpack_from("<HHI", rest, position)
        if (group, number) == _SEQUENCE_END:
            return
        if (group, number) != _ITEM or length > len(rest) - position - 8:
            break
        yield position, rest[position + 8 : position + 8 + length]
        position += 8 + length
    raise FileError(path, "the file is cut or damaged within its compressed pixels", fix="export or copy it again")


def _unpacked(path: PathLike, layout: PixelLayout, frame: bytes) -> NDArray[Any]:
    """One frame as it is stored, unsigned, shape (rows, columns)."""
    if COMPRESSED[layout.syntax] != "RLE" and frame_size(frame) != (layout.rows, layout.columns):
        raise FileError(path, "a compressed frame of another size than the header says", found=frame_size(frame),
                        expected=f"{layout.rows} x {layout.columns}", fix="export the file again")  # fmt: skip
    try:
        array = _run_lengths(layout, frame) if COMPRESSED[layout.syntax] == "RLE" else _by_simpleitk(layout, frame)
    except (RuntimeError, ValueError, IndexError, struct.error):  # how pydicom and SimpleITK say that they cannot
        array = np.empty(0)
    if array.size != layout.rows * layout.columns or array.dtype.kind not in "ui":
        raise FileError(
            path, f"the pixels cannot be unpacked ({COMPRESSED[layout.syntax]})", fix="export the file again"
        )
    return np.asarray(array.reshape(layout.rows, layout.columns).astype(layout.raw_dtype))


def _run_lengths(layout: PixelLayout, frame: bytes) -> NDArray[Any]:
    """RLE by pydicom: GDCM gives up on small frames."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import RLELossless

    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "bits_allocated": layout.allocated,
        "bits_stored": layout.allocated,
        "pixel_representation": 0,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    }
    array, _ = get_decoder(RLELossless).as_array(encapsulate([frame]), **options)
    return np.asarray(array)


def _by_simpleitk(layout: PixelLayout, frame: bytes) -> NDArray[Any]:
    """JPEG of all kinds by SimpleITK: it sees a file that we wrote around the frame, without the original header."""
    import SimpleITK as sitk

    with _hidden_file(_wrapped(layout, frame)) as name:
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(name)
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))  # a copy: a view would outlive its image


@contextmanager
def _hidden_file(content: bytes) -> Iterator[str]:
    """A file that is in memory alone where the system can; else one that nobody else may read and that is removed."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("frame", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dcm"
        path.write_bytes(content)
        yield str(path)


def _wrapped(layout: PixelLayout, frame: bytes) -> bytes:
    """The smallest DICOM file around one compressed frame."""
    meta = b"".join(
        [
            _element(0x0002, 0x0001, b"OB", b"\0\1"),
            _element(0x0002, 0x0002, b"UI", _SECONDARY_CAPTURE),
            _element(0x0002, 0x0003, b"UI", b"2.25.1"),
            _element(0x0002, 0x0010, b"UI", layout.syntax.encode()),
        ]
    )
    numbers = {
        0x0002: 1, 0x0010: layout.rows, 0x0011: layout.columns, 0x0100: layout.allocated, 0x0101: layout.stored,
        0x0102: layout.high_bit, 0x0103: int(layout.signed),
    }  # fmt: skip
    image = {number: _element(0x0028, number, b"US", struct.pack("<H", value)) for number, value in numbers.items()}
    image[0x0004] = _element(0x0028, 0x0004, b"CS", b"MONOCHROME2")
    padded = frame + bytes(len(frame) % 2)
    return b"".join(
        [
            bytes(128) + b"DICM",
            _element(0x0002, 0x0000, b"UL", struct.pack("<I", len(meta))),
            meta,
            _element(0x0008, 0x0016, b"UI", _SECONDARY_CAPTURE),
            _element(0x0008, 0x0018, b"UI", b"2.25.1"),
            *(image[number] for number in sorted(image)),
            struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF),
            struct.pack("<HHI", *_ITEM, 0),
            struct.pack("<HHI", *_ITEM, len(padded)),
            padded,
            struct.pack("<HHI", *_SEQUENCE_END, 0),
        ]
    )


def _element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    padded = value + (b" " if vr == b"CS" else b"\0") * (len(value) % 2)
    if vr == b"OB":
        return struct.pack("<HH2sHI", group, number, vr, 0, len(padded)) + padded
    return struct.pack("<HH2sH", group, number, vr, len(padded)) + padded
