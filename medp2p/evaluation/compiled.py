"""The maps of SSIM and MS-SSIM compiled by numba, for large scans and where the extra `fast` is installed.

The same numbers as `metrics` gives (one table of tests for both); imported only when a scan is worth it.
"""

from collections.abc import Callable
from typing import Final, TypeVar, cast

import numba
import numpy as np

from medp2p.evaluation.metrics import K1, K2, SAMPLE, Array, Floats
from medp2p.evaluation.windows import CENTRE, WINDOW

_SUMS: Final = 5
"""Sums over a window: of either image, of their squares, of their product."""
_SHARE: Final = 1.0 / WINDOW**3
Function = TypeVar("Function", bound=Callable[..., object])


def ssim_map(first: Array, second: Array, *, data_range: float) -> Floats:
    """As `metrics.ssim_map`."""
    return _mapped(first, second, data_range, whole=True)


def three_terms(first: Array, second: Array, *, data_range: float) -> Floats:
    """As `metrics.three_terms`."""
    return _mapped(first, second, data_range, whole=False)


def _mapped(first: Array, second: Array, data_range: float, *, whole: bool) -> Floats:
    """Integers from 0 to 4095 are summed as integers, less CENTRE, and so exactly."""
    kind, centre = (np.float64, 0) if first.dtype.kind == "f" else (np.int32, CENTRE)
    first, second = (np.ascontiguousarray(image, kind) for image in (first, second))
    length, rows, columns = first.shape
    planes, row, windows = (
        np.empty((_SUMS, *shape), kind) for shape in ((rows, columns), (columns,), (columns - WINDOW + 1,))
    )
    out = np.empty((length - WINDOW + 1, rows - WINDOW + 1, columns - WINDOW + 1))
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    _walk(first, second, cast("float", kind(centre)), c1, c2, whole, planes, row, windows, out)
    return out


def _compiled(function: Function) -> Function:
    """Without Python's lock; kept beside the package where that is writable, else for this process."""
    try:
        return cast("Function", numba.njit(function, nogil=True, cache=True, error_model="numpy"))
    except RuntimeError:
        return cast("Function", numba.njit(function, nogil=True, error_model="numpy"))


@_compiled
def _walk(
    first: Array, second: Array, centre: float, c1: float, c2: float, whole: bool,
    planes: Array, row: Array, windows: Array, out: Floats,
) -> None:  # fmt: skip
    """Sums over windows plane by plane, each plane's from the one before, each row's from the row before."""
    for i in range(first.shape[0]):
        for j in range(first.shape[1]):
            if i == 0:
                _clear(planes, j)
            if i < WINDOW:
                _add(planes, j, first[i, j], second[i, j], centre)
            else:
                _exchange(planes, j, first[i, j], second[i, j], first[i - WINDOW, j], second[i - WINDOW, j], centre)
            if i >= WINDOW - 1 and j >= WINDOW - 1:
                _sum_rows(row, planes, j)
                _sum_windows(windows, row)
                if whole:
                    _ssim(windows, centre, c1, c2, out[i - WINDOW + 1, j - WINDOW + 1])
                else:
                    _terms(windows, centre, c1, c2, out[i - WINDOW + 1, j - WINDOW + 1])


@_compiled
def _clear(planes: Array, j: int) -> None:
    for s in range(_SUMS):
        sums = planes[s, j]
        for k in range(sums.size):
            sums[k] = 0


@_compiled
def _add(planes: Array, j: int, first: Array, second: Array, centre: float) -> None:
    ones, twos, squares_1, squares_2 = planes[0, j], planes[1, j], planes[2, j], planes[3, j]
    products = planes[4, j]
    for k in range(first.size):
        a, b = first[k] - centre, second[k] - centre
        ones[k] += a
        twos[k] += b
        squares_1[k] += a * a
        squares_2[k] += b * b
        products[k] += a * b


@_compiled
def _exchange(
    planes: Array, j: int, first: Array, second: Array, old_first: Array, old_second: Array, centre: float
) -> None:
    ones, twos, squares_1, squares_2 = planes[0, j], planes[1, j], planes[2, j], planes[3, j]
    products = planes[4, j]
    for k in range(first.size):
        a, b, c, d = first[k] - centre, second[k] - centre, old_first[k] - centre, old_second[k] - centre
        ones[k] += a - c
        twos[k] += b - d
        squares_1[k] += a * a - c * c
        squares_2[k] += b * b - d * d
        products[k] += a * b - c * d


@_compiled
def _sum_rows(row: Array, planes: Array, j: int) -> None:
    for s in range(_SUMS):
        sums, rows = row[s], planes[s]
        if j == WINDOW - 1:
            r0, r1, r2, r3, r4, r5, r6 = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
            for k in range(sums.size):
                sums[k] = ((r0[k] + r1[k]) + (r2[k] + r3[k])) + ((r4[k] + r5[k]) + r6[k])
        else:
            new, old = rows[j], rows[j - WINDOW]
            for k in range(sums.size):
                sums[k] += new[k] - old[k]


@_compiled
def _sum_windows(windows: Array, row: Array) -> None:
    """Seven neighbours added in a loop that a compiler turns into vector instructions."""
    for s in range(_SUMS):
        sums, r = windows[s], row[s]
        for k in range(sums.size):
            sums[k] = ((r[k] + r[k + 1]) + (r[k + 2] + r[k + 3])) + ((r[k + 4] + r[k + 5]) + r[k + 6])


@_compiled
def _ssim(windows: Array, centre: float, c1: float, c2: float, out: Floats) -> None:
    ones, twos, squares_1, squares_2, products = windows[0], windows[1], windows[2], windows[3], windows[4]
    back = float(centre)
    for k in range(out.size):
        a, b = ones[k] * _SHARE, twos[k] * _SHARE
        variances = SAMPLE * ((squares_1[k] * _SHARE - a * a) + (squares_2[k] * _SHARE - b * b))
        covariance = SAMPLE * (products[k] * _SHARE - a * b)
        a, b = a + back, b + back
        out[k] = (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variances + c2))


@_compiled
def _terms(windows: Array, centre: float, c1: float, c2: float, out: Floats) -> None:
    ones, twos, squares_1, squares_2, products = windows[0], windows[1], windows[2], windows[3], windows[4]
    back = float(centre)
    for k in range(out.size):
        a, b = ones[k] * _SHARE, twos[k] * _SHARE
        variance_a = SAMPLE * (squares_1[k] * _SHARE - a * a)
        variance_b = SAMPLE * (squares_2[k] * _SHARE - b * b)
        covariance = SAMPLE * (products[k] * _SHARE - a * b)
        spreads = np.sqrt(_positive(variance_a)) * np.sqrt(_positive(variance_b))
        a, b = a + back, b + back
        luminance = (2 * a * b + c1) / (a * a + b * b + c1)
        contrast = (2 * spreads + c2) / (variance_a + variance_b + c2)
        structure = (covariance + c2 / 2) / (spreads + c2 / 2)
        out[k] = _positive(luminance) * _positive(contrast) * _positive(structure)


@_compiled
def _positive(value: float) -> float:
    return value if value > 0.0 else 0.0
