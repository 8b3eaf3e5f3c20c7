"""Sums over the cubic windows of SSIM, for two images at once; they must never round where the images are integers."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

WINDOW: Final = 7
"""Edge of the cubic SSIM window, in voxels: the default of scikit-image and of the SynthRAD challenges."""
MARGIN: Final = WINDOW // 2
"""A voxel nearer than this to the border of the image has no full window, and no SSIM."""
CENTRE: Final = 2048
"""Integers from 0 to 4095 are taken less this before they are multiplied: variances do not mind, and sums over a window
fit 32 bits."""
_LARGE_PLANE: Final = 6144
"""Voxels of a plane that is worked on alone; smaller ones all at once, for each step costs a microsecond."""


def windowed(values: Array) -> Floats:
    """Mean over the window of every voxel that has a complete one.

    Seven shifted copies are added along each axis (as 2 + 2 + 2 + 1): faster than a filter on blocks that fit a cache,
    and without the drift of running sums.

    Examples:
        >>> windowed(np.arange(512.0).reshape(8, 8, 8))[0].tolist()
        [[219.0, 220.0], [227.0, 228.0]]
    """
    for axis in range(values.ndim):
        values = np.moveaxis(_seven(np.moveaxis(values, axis, -1)), -1, axis)
    return np.asarray(values / WINDOW**3)


def integer_sums(first: Array, second: Array, *, apart: bool) -> Iterator[tuple[slice, Array]]:
    """Sums over windows of both images less CENTRE, of their product, and of their squares; exact.

    Copies of flat memory are added, so that what stands at the end of a row or plane belongs to no window. Where
    planes are large, each one's sums along the first axis follow from those of the plane before.

    Args:
        first: int32 from 0 to 4095, shape (X, Y, Z), at least 7 voxels along each axis.
        second: The same shape and type.
        apart: The squares of each image, and not those of both together.

    Yields:
        Planes of the map, and their sums: int32, shape (4 or 5, planes x Y x Z less what the last window lacks),
        those of squares to be read as uint32.
    """
    length, rows, columns = first.shape
    plane, planes = rows * columns, length - WINDOW + 1
    first, second = first.reshape(length, plane), second.reshape(length, plane)
    if plane < _LARGE_PLANE:
        products = np.empty((4 + apart, length * plane), np.int32)
        _products(first.reshape(-1), second.reshape(-1), products)
        yield slice(0, planes), _seven(_seven(_seven(products, plane), columns))
        return
    ring = np.empty((WINDOW, 4 + apart, plane), np.int32)
    total = np.zeros(ring.shape[1:], np.int32)
    for at in range(length):
        newest, oldest = ring[at % WINDOW], ring[(at + 1) % WINDOW]
        _products(first[at], second[at], newest)
        total += newest
        if at >= WINDOW - 1:
            yield slice(at - WINDOW + 1, at - WINDOW + 2), _seven(_seven(total, columns))
            total -= oldest


def _products(first: Array, second: Array, out: Array) -> None:
    np.subtract(first, CENTRE, out=out[0])
    np.subtract(second, CENTRE, out=out[1])
    np.multiply(out[0], out[1], out=out[2])
    np.multiply(out[0], out[0], out=out[3])
    if len(out) > 4:
        np.multiply(out[1], out[1], out=out[4])
    else:
        out[3] += out[1] * out[1]


def _seven(values: Array, step: int = 1) -> Array:
    """Each value added to the six that follow it at some step along the last axis."""
    count = values.shape[-1] - (WINDOW - 1) * step
    pairs = values[..., :-step] + values[..., step:]
    sums: Array = pairs[..., :count] + pairs[..., 2 * step : 2 * step + count]
    sums += pairs[..., 4 * step : 4 * step + count]
    sums += values[..., 6 * step :]
    return sums
