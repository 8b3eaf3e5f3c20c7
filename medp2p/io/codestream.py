"""The size that a compressed frame says of itself, read before a decoder takes memory for it."""

import struct

_SIZ = b"\xff\x4f\xff\x51"
"""Start of a JPEG 2000 codestream and its size marker (ITU-T T.800, A.5.1)."""
_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Start of frame of JPEG and JPEG-LS (ITU-T T.81, B.1.1.3; T.87, C.2.2)."""
_FARTHEST = 65536


def frame_size(frame: bytes) -> tuple[int, int] | None:
    r"""Rows and columns of a JPEG, JPEG-LS or JPEG 2000 frame; None where it does not say.

    Examples:
        >>> frame_size(b"\xff\xd8\xff\xc3\x00\x0b\x10\x00\x06\x00\x07\x01")
        (6, 7)
        >>> frame_size(b"no frame")
    """
    start = frame.find(_SIZ, 0, _FARTHEST)
    if start >= 0 and len(frame) >= start + 24:
        right, bottom, left, top = struct.unpack_from(">IIII", frame, start + 8)
        return bottom - top, right - left
    position = 2
    while frame[:2] == b"\xff\xd8" and position + 9 <= min(len(frame), _FARTHEST):
        marker, length = frame[position + 1], int.from_bytes(frame[position + 2 : position + 4], "big")
        if frame[position] != 0xFF:
            return None
        if marker in _FRAME_MARKERS:
            rows, columns = struct.unpack_from(">HH", frame, position + 5)
            return rows, columns
        position += 1 if marker == 0xFF else 2 + length
    return None
