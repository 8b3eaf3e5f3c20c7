"""The prepared planes of one case as a file: planes, a description in JSON, and a hash over both.

Nothing of it is ever taken from a file whose hash is wrong.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from medp2p.data.intensity import Limits
from medp2p.data.prepared import PreparedCase
from medp2p.io.atomic import atomic_file
from medp2p.io.machine import file_error

_HASH_BYTES = 32
_LENGTH_BYTES = 8
_LARGEST_DESCRIPTION = 1 << 24
_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class Entry:
    """The prepared planes of one case on the disk.

    Attributes:
        path: The file.
        case: The id of the case.
        key: Hash of everything that the planes were made of.
        made_of: Its parts, as plain values.
        count: Number of planes.
        channels: Their channels, sources before targets.
        size: (H, W) of a plane.
        spacing_mm: From row to row and from column to column.
        table: The weights that pixels have.
        has_weights: Whether pixels differ in weight.
        limits: What each channel's map was fitted to.
        weight_sums: Sum of the weights of each plane.
    """

    path: Path
    case: str
    key: str
    made_of: Mapping[str, Any]
    count: int
    channels: tuple[str, ...]
    size: tuple[int, int]
    spacing_mm: tuple[float, float]
    table: NDArray[np.float32]
    has_weights: bool
    limits: Mapping[str, Limits]
    weight_sums: tuple[float, ...]

    def open(self) -> tuple[NDArray[np.int16], NDArray[np.uint8] | None]:
        """Images (N, C, H, W), and numbers of weights (N, H, W) or None: mapped into memory, read-only.

        Raises:
            FileError: The file is gone, or cannot be opened.
        """
        height, width = self.size
        pixels = self.count * height * width
        try:
            content = np.asarray(np.memmap(self.path, np.uint8, "r"))
        except OSError as error:
            raise file_error(self.path, error) from None
        cut = 2 * pixels * len(self.channels)
        images = content[:cut].view("<i2").reshape(self.count, len(self.channels), height, width)
        return images, content[cut : cut + pixels].reshape(self.count, height, width) if self.has_weights else None


def write_entry(path: Path, case: str, key: str, made_of: Mapping[str, Any], prepared: PreparedCase) -> None:
    """The file of a case, whole or not at all; one that is there is replaced.

    Raises:
        FileError: It cannot be written.
    """
    description = {
        "case": case,
        "key": key,
        "made_of": made_of,
        "channels": prepared.channels,
        "shape": prepared.images.shape,
        "spacing_mm": prepared.spacing_mm,
        "has_weights": prepared.weights is not None,
        "table": prepared.table.tolist(),
        "limits": {name: [limits.low, limits.high] for name, limits in prepared.limits.items()},
        "weight_sums": prepared.weight_sums,
    }
    text = json.dumps(description).encode()
    digest = hashlib.sha256()
    weights = [] if prepared.weights is None else [prepared.weights]
    with atomic_file(path, overwrite=True) as file:
        for part in (prepared.images.astype("<i2", copy=False), *weights):
            content = np.ascontiguousarray(part).view(np.uint8).data
            file.write(content)
            digest.update(content)
        for end in (text, len(text).to_bytes(_LENGTH_BYTES, "little")):
            file.write(end)
            digest.update(end)
        file.write(digest.digest())


def read_entry(path: Path) -> Entry | None:
    """What a file holds; None where there is none, it is damaged in any way, or of another form than ours."""
    try:
        with path.open("rb") as file:
            return _entry(path, json.loads(_description(file))) if _is_whole(file) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _entry(path: Path, described: Mapping[str, Any]) -> Entry:
    count, _, height, width = described["shape"]
    row_mm, column_mm = described["spacing_mm"]
    return Entry(
        path=path,
        case=described["case"],
        key=described["key"],
        made_of=described["made_of"],
        count=count,
        channels=tuple(described["channels"]),
        size=(height, width),
        spacing_mm=(row_mm, column_mm),
        table=np.array(described["table"], np.float32),
        has_weights=described["has_weights"],
        limits={name: Limits(low, high) for name, (low, high) in described["limits"].items()},
        weight_sums=tuple(described["weight_sums"]),
    )


def read_origin(path: Path) -> tuple[str, Mapping[str, Any]]:
    """The case of a file and what it was made of, without a look at the planes; nothing where it is no such file."""
    try:
        with path.open("rb") as file:
            described = json.loads(_description(file))
        return str(described["case"]), dict(described["made_of"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "", {}


def _is_whole(file: BinaryIO) -> bool:
    """Whether the hash at the end of a file is that of everything before it."""
    left = file.seek(0, 2) - _HASH_BYTES
    if left < _LENGTH_BYTES:
        return False
    digest = hashlib.sha256()
    file.seek(0)
    while left and (chunk := file.read(min(left, _AT_ONCE))):
        digest.update(chunk)
        left -= len(chunk)
    return file.read(_HASH_BYTES) == digest.digest()


def _description(file: BinaryIO) -> bytes:
    """The description before the hash; empty where there cannot be one."""
    end = file.seek(0, 2) - _HASH_BYTES - _LENGTH_BYTES
    if end < 0:
        return b""
    file.seek(end)
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    if length > min(end, _LARGEST_DESCRIPTION):
        return b""
    file.seek(end - length)
    return file.read(length)
