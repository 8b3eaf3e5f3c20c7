"""One block of zlib data, as MetaImage stores its voxels: unpacked to exactly the length that is known beforehand."""

import os
import zlib
from typing import Any

from medp2p.errors import FileError
from medp2p.io.gzip_stream import COMPRESSION_LEVEL, DAMAGED

_engine: Any = zlib
_level = 3
try:
    from isal import isal_zlib
except ImportError:
    pass
else:
    _engine, _level = isal_zlib, COMPRESSION_LEVEL


def unpack_block(path: str | os.PathLike[str], packed: bytes, count: int) -> bytes:
    """Unpack, and refuse what is shorter, longer, cut or damaged.

    Args:
        path: The file, for messages.
        packed: The whole block, its checksum at the end.
        count: Bytes that must come out.

    Raises:
        FileError: It is not that.

    Examples:
        >>> unpack_block("a.mha", zlib.compress(b"voxels"), 6)
        b'voxels'
    """
    stream = _engine.decompressobj()
    try:
        content = bytes(stream.decompress(packed, count + 1))
    except DAMAGED:
        content = b""
    checksum = int.from_bytes(packed[-4:], "big")
    if len(content) != count or not stream.eof or stream.unused_data or zlib.adler32(content) != checksum:
        raise FileError(
            path,
            "the compressed voxels are damaged, cut, or not as many as the header says",
            found=f"{len(content)} bytes" if len(content) != count else "a wrong checksum or end",
            expected=f"{count} bytes",
            fix="copy or download the file again",
        )
    return content


def pack_block(content: bytes) -> bytes:
    """One block of zlib data."""
    return bytes(_engine.compress(content, _level))
