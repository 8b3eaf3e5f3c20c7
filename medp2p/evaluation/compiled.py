"""The maps of SSIM and MS-SSIM compiled by numba, for large scans and where the extra `fast` is installed.

The same numbers as `metrics` gives (one table of tests for both); imported only when a scan is worth it.
"""

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.metrics import K1, K2, SAMPLE, WINDOW, Floats

_SUMS: Final = 5
"""Sums over a window: of either image, of their squares, of their product."""


def ssim_map(first: Floats, second: Floats, *, data_range: float) -> Floats:
    """As `metrics.ssim_map`."""
    return _mapped(first, second, data_range, whole=True)


def three_terms(first: Floats, second: Floats, *, data_range: float) -> Floats:
    """As `metrics.three_terms`."""
    return _mapped(first, second, data_range, whole=False)


def _mapped(first: Floats, second: Floats, data_range: float, *, whole: bool) -> Floats:
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


def _walk_in_python(first: Floats, second: Floats, c1: float, c2: float, whole: bool, out: NDArray[np.float64]) -> None:
    """Sums over windows plane by plane, each plane's from the one before, each row's from the row before."""
    _, rows, columns = first.shape
    planes = np.zeros((_SUMS, rows, columns))
    for i in range(first.shape[0]):
        _add_plane(planes, first[i], second[i], 1.0)
        if i >= WINDOW:
            _add_plane(planes, first[i - WINDOW], second[i - WINDOW], -1.0)
        if i >= WINDOW - 1:
            _finish_plane(planes, c1, c2, whole, out[i - WINDOW + 1])


def _add_plane_in_python(planes: Floats, first: Floats, second: Floats, sign: float) -> None:
    for j in range(first.shape[0]):
        for k in range(first.shape[1]):
            a, b = first[j, k], second[j, k]
            planes[0, j, k] += sign * a
            planes[1, j, k] += sign * b
            planes[2, j, k] += sign * (a * a)
            planes[3, j, k] += sign * (b * b)
            planes[4, j, k] += sign * (a * b)


def _finish_plane_in_python(planes: Floats, c1: float, c2: float, whole: bool, out: NDArray[np.float64]) -> None:
    rows, columns = planes.shape[1], planes.shape[2]
    row = np.zeros((_SUMS, columns))
    voxels = 1.0 / WINDOW**3
    for j in range(rows):
        for s in range(_SUMS):
            for k in range(columns):
                row[s, k] += planes[s, j, k]
            if j >= WINDOW:
                for k in range(columns):
                    row[s, k] -= planes[s, j - WINDOW, k]
        if j < WINDOW - 1:
            continue
        for k in range(columns - WINDOW + 1):
            a = b = aa = bb = ab = 0.0
            for w in range(WINDOW):
                a += row[0, k + w]
                b += row[1, k + w]
                aa += row[2, k + w]
                bb += row[3, k + w]
                ab += row[4, k + w]
            a *= voxels
            b *= voxels
            variance_a = SAMPLE * (aa * voxels - a * a)
            variance_b = SAMPLE * (bb * voxels - b * b)
            covariance = SAMPLE * (ab * voxels - a * b)
            luminance = (2 * a * b + c1) / (a * a + b * b + c1)
            if whole:
                out[j - WINDOW + 1, k] = luminance * (2 * covariance + c2) / (variance_a + variance_b + c2)
            else:
                spreads = np.sqrt(max(variance_a, 0.0)) * np.sqrt(max(variance_b, 0.0))
                contrast = (2 * spreads + c2) / (variance_a + variance_b + c2)
                structure = (covariance + c2 / 2) / (spreads + c2 / 2)
                out[j - WINDOW + 1, k] = max(luminance, 0.0) * max(contrast, 0.0) * max(structure, 0.0)


_add_plane = _compile(_add_plane_in_python)
_finish_plane = _compile(_finish_plane_in_python)
_walk = _compile(_walk_in_python)
