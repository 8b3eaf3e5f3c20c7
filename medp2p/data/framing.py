"""Cutting and padding planes to the size of a network; what was padded can always be taken off again."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Frame = tuple[slice, slice]
"""Rows and columns of the original within what was padded: `padded[..., rows, columns]` gives it back."""


def pad_to_multiple(planes: Array, multiple: int | tuple[int, int], value: float) -> tuple[Array, Frame]:
    """Planes padded on all sides until height and width are multiples of what a network can halve.

    Args:
        planes: Shape (..., H, W).
        multiple: At least 1; one number, or one for the height and one for the width.
        value: What the padding holds: the low end of an intensity map, -1.

    Returns:
        The padded planes, the same array where nothing is missing, and where the original lies in them.

    Examples:
        >>> padded, (rows, columns) = pad_to_multiple(np.ones((3, 5, 8)), 4, -1.0)
        >>> padded.shape, padded[..., rows, columns].shape
        ((3, 8, 8), (3, 5, 8))
    """
    wanted = (multiple, multiple) if isinstance(multiple, int) else multiple
    height, width = planes.shape[-2:]
    return pad_to_size(planes, (-(-height // wanted[0]) * wanted[0], -(-width // wanted[1]) * wanted[1]), value)


def pad_to_size(planes: Array, size: tuple[int, int], value: float) -> tuple[Array, Frame]:
    """Planes padded on all sides to at least `size` (H, W), the odd pixel at the end; a larger plane stays as it is."""
    (height, width), (rows, columns) = planes.shape[-2:], size
    top, left = max(0, rows - height) // 2, max(0, columns - width) // 2
    frame = slice(top, top + height), slice(left, left + width)
    if rows <= height and columns <= width:
        return planes, frame
    padded = np.full((*planes.shape[:-2], max(rows, height), max(columns, width)), value, planes.dtype)
    padded[..., frame[0], frame[1]] = planes
    return padded, frame


def window(length: int, wanted: int, place: float) -> tuple[slice, slice]:
    """Where `wanted` pixels are taken from an axis of `length`, and where they go.

    Args:
        length: Pixels there are.
        wanted: Pixels there shall be.
        place: Which of the possible cuts, from 0 (the first) to 1; 0.5 is the middle. A shorter axis is never cut
            and always lies in the middle.

    Returns:
        The slice to read and the slice to write; outside the latter is padding.

    Examples:
        >>> window(10, 4, 0.5), window(3, 8, 0.9)
        ((slice(3, 7, None), slice(0, 4, None)), (slice(0, 3, None), slice(2, 5, None)))
    """
    if length <= wanted:
        first = (wanted - length) // 2
        return slice(0, length), slice(first, first + length)
    first = min(int(place * (length - wanted + 1)), length - wanted)
    return slice(first, first + wanted), slice(0, wanted)
