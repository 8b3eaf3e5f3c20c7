"""Stored numbers to values: slope and intercept, applied without losing what the file holds."""

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError

_CHUNK = 1 << 16
_LARGEST = float(np.finfo(np.float32).max)


def scaled(path: str | PathLike[str], raw: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """Slope x raw + intercept, of shape (X, Y, Z); the raw array itself where that changes nothing.

    Args:
        path: The file, for the message.
        raw: Stored numbers.
        slope: Finite; 1 with an intercept of 0 keeps the stored type.
        intercept: Finite.

    Returns:
        float32, or float64 where the stored numbers have more than 24 bits.

    Raises:
        FileError: A value is not finite, or too large for the float32 that everything downstream works in.

    Examples:
        >>> scaled("a.nii", np.array([[[1, 2]]], np.int16), 0.5, -1024.0).tolist()
        [[[-1023.5, -1023.0]]]
    """
    if raw.dtype.kind != "f" and slope == 1 and intercept == 0:
        return raw
    smallest, largest = float(raw.min()), float(raw.max())
    ends = np.array([smallest, largest]) * slope + intercept
    if raw.dtype.kind == "f" and not np.isfinite([smallest, largest]).all():
        raise FileError(
            path,
            "voxels that are not finite",
            found=f"{int(np.count_nonzero(~np.isfinite(raw)))} NaN or Inf",
            expected="none",
            fix="replace them in the program that made the image",
        )
    if not (np.abs(ends) <= _LARGEST).all():
        raise FileError(
            path,
            "values that are too large",
            found=f"{ends.min():g} to {ends.max():g}",
            expected=f"at most {_LARGEST:g}",
            fix="correct the scaling of the image",
        )
    if slope == 1 and intercept == 0:
        return raw
    wide = raw.dtype.itemsize > 4 or raw.dtype in (np.dtype(np.int32), np.dtype(np.uint32))
    values = np.empty(raw.shape, np.float64 if wide else np.float32, order="F")
    flat, stored = values.reshape(-1, order="F"), raw.reshape(-1, order="F")
    for start in range(0, flat.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        flat[part] = stored[part].astype(np.float64) * slope + intercept
    return values
