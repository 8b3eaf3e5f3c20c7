"""The maps of SSIM and MS-SSIM compiled by numba, for large scans and where the extra `fast` is installed.

The same numbers as `metrics` gives (one table of tests for both); imported only when a scan is worth it.
"""

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.metrics import K1, K2, SAMPLE, Array, Floats
from medp2p.evaluation.windows import WINDOW

_SUMS: Final = 5
"""Sums over a window: of either image, of their squares, of their product."""


def ssim_map(first: Array, second: Array, *, data_range: float) -> Floats:
    """As `metrics.ssim_map`."""
    return _mapped(first, second, data_range, whole=True)


def three_terms(first: Array, second: Array, *, data_range: float) -> Floats:
    """As `metrics.three_terms`."""
    return _mapped(first, second, data_range, whole=False)


def _mapped(first: Array, second: Array, data_range: float, *, whole: bool) -> Floats:
    out = np.empty(tuple(n - WINDOW + 1 for n in first.shape))
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    _walk(np.ascontiguousarray(first), np.ascontiguousarray(second), c1, c2, whole, out)
    return out


def _compile(function: Any) -> Any:
    """Compiled without Python's lock; kept beside the package where that is writable, else for this process."""
    try:
        return numba.njit(function, nogil=True, cache=True)
    except RuntimeError:
        return numba.njit(function, nogil=True)


def _walk_in_python(first: Array, second: Array, c1: float, c2: float, whole: bool, out: NDArray[np.float64]) -> None:
    """Sums over windows plane by plane, each plane's from the one before, each row's from the row before."""
    _, rows, columns = first.shape
    planes = np.zeros((_SUMS, rows, columns))
    row, windows = np.zeros((_SUMS, columns)), np.zeros((_SUMS, columns - WINDOW + 1))
    for i in range(first.shape[0]):
        _add_plane(planes, first[i], second[i], 1.0)
        if i >= WINDOW:
            _add_plane(planes, first[i - WINDOW], second[i - WINDOW], -1.0)
        if i >= WINDOW - 1:
            row[:] = 0.0
            for j in range(rows):
                _add_row(row, planes, j)
                if j >= WINDOW - 1:
                    _add_windows(windows, row)
                    _finish_row(windows, c1, c2, whole, out[i - WINDOW + 1, j - WINDOW + 1])


def _add_plane_in_python(planes: Floats, first: Array, second: Array, sign: float) -> None:
    """With sign -1.0 it is taken away again: a factor of one is exact, so that nothing is rounded otherwise."""
    for j in range(first.shape[0]):
        ones, twos, squares_1, squares_2, products = (
            planes[0, j],
            planes[1, j],
            planes[2, j],
            planes[3, j],
            planes[4, j],
        )
        for k in range(first.shape[1]):
            a, b = float(first[j, k]), float(second[j, k])
            ones[k] += sign * a
            twos[k] += sign * b
            squares_1[k] += sign * (a * a)
            squares_2[k] += sign * (b * b)
            products[k] += sign * (a * b)


def _add_row_in_python(row: Floats, planes: Floats, j: int) -> None:
    for s in range(_SUMS):
        sums, new = row[s], planes[s, j]
        if j < WINDOW:
            for k in range(sums.size):
                sums[k] += new[k]
        else:
            old = planes[s, j - WINDOW]
            for k in range(sums.size):
                sums[k] += new[k] - old[k]


def _add_windows_in_python(windows: Floats, row: Floats) -> None:
    """Seven neighbours added in a loop that a compiler turns into vector instructions."""
    for s in range(_SUMS):
        sums, r = windows[s], row[s]
        for k in range(sums.size):
            sums[k] = ((r[k] + r[k + 1]) + (r[k + 2] + r[k + 3])) + ((r[k + 4] + r[k + 5]) + r[k + 6])


def _finish_row_in_python(windows: Floats, c1: float, c2: float, whole: bool, out: NDArray[np.float64]) -> None:
    ones, twos, squares_1, squares_2, products = windows[0], windows[1], windows[2], windows[3], windows[4]
    share = 1.0 / WINDOW**3
    for k in range(out.size):
        a, b = ones[k] * share, twos[k] * share
        variance_a = SAMPLE * (squares_1[k] * share - a * a)
        variance_b = SAMPLE * (squares_2[k] * share - b * b)
        covariance = SAMPLE * (products[k] * share - a * b)
        luminance = (2 * a * b + c1) / (a * a + b * b + c1)
        if whole:
            out[k] = luminance * ((2 * covariance + c2) / (variance_a + variance_b + c2))
        else:
            spreads = np.sqrt(max(variance_a, 0.0)) * np.sqrt(max(variance_b, 0.0))
            contrast = (2 * spreads + c2) / (variance_a + variance_b + c2)
            structure = (covariance + c2 / 2) / (spreads + c2 / 2)
            out[k] = max(luminance, 0.0) * max(contrast, 0.0) * max(structure, 0.0)


_add_plane = _compile(_add_plane_in_python)
_add_row = _compile(_add_row_in_python)
_add_windows = _compile(_add_windows_in_python)
_finish_row = _compile(_finish_row_in_python)
_walk = _compile(_walk_in_python)
