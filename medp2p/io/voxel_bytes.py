"""Voxels as files hold them: a number type that every format has, first axis fastest, little-endian."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.affine import is_orthogonal
from medp2p.errors import GeometryError
from medp2p.volume import Volume

_CHUNK_BYTES = 1 << 22
_STORED = tuple(np.dtype(name) for name in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"))


def storable(volume: Volume) -> NDArray[Any]:
    """The voxels in a type that files have: half floats become float32, long doubles float64.

    Examples:
        >>> storable(Volume(np.zeros((1, 1, 1), np.float16), np.eye(4))).dtype
        dtype('float32')
    """
    voxels = volume.voxels
    if voxels.dtype.newbyteorder("=") in _STORED:
        return voxels
    return voxels.astype(np.float32 if voxels.dtype.itemsize < 4 else np.float64)


def fortran_chunks(voxels: NDArray[Any]) -> Iterator[memoryview]:
    """The voxels' bytes, first axis fastest, little-endian, in pieces of a few megabytes."""
    slices = max(1, _CHUNK_BYTES // max(1, voxels[:, :, :1].nbytes))
    little = voxels.dtype.newbyteorder("<")
    for start in range(0, voxels.shape[2], slices):
        part = np.ascontiguousarray(voxels[:, :, start : start + slices].T, dtype=little)
        yield part.reshape(-1).view(np.uint8).data


def whole_bytes(voxels: NDArray[Any]) -> bytes:
    """All of them at once."""
    return b"".join(fortran_chunks(voxels))


def refuse_shear(volume: Volume, path: str | os.PathLike[str]) -> None:
    """Raise where a grid cannot be held by a format whose axes stand at right angles.

    Raises:
        GeometryError: It is sheared.
    """
    if not is_orthogonal(volume.affine):
        raise GeometryError(
            path, "the grid is sheared: its axes are not at right angles", fix="write .nii.gz, which holds such a grid"
        )
