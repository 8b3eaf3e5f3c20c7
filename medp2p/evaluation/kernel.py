"""The maps of SSIM and MS-SSIM as loops for numba; imported only to make machine code of them, see `compiled`.

Everything is given by whoever calls, and nothing is allocated or raised: so the code needs no numba once it is there.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numpy as np
from numba import carray, cfunc, njit, types  # type: ignore[attr-defined, unused-ignore]  # absent from its __all__
from numpy.typing import NDArray

from medp2p.evaluation.metrics import SAMPLE
from medp2p.evaluation.windows import WINDOW

Array = NDArray[Any]
Floats = NDArray[np.float64]
SUMS: Final = 5
"""Sums over a window: of either image, of their squares, of their product."""
_SHARE: Final = 1.0 / WINDOW**3
Function = TypeVar("Function", bound=Callable[..., object])


def _compiled(function: Function) -> Function:
    return cast("Function", njit(function, error_model="numpy"))


def compiled_ir(kind: str) -> str:
    """The kernel for images of `int32` or `float64`, in LLVM's language for this processor; it takes seconds.

    Its one function with C's calling convention takes addresses of both images and their three lengths, what is taken
    off every value, C1, C2, whether SSIM is wanted, and addresses of room for sums of a plane, a row and windows, and
    of the map.
    """
    number: Any = getattr(types, kind)
    pointer: Any = types.CPointer
    images, lengths, room = [pointer(number)] * 2, [types.int64] * 3, [pointer(number)] * 3
    constants = [number, types.float64, types.float64, types.boolean]
    arguments = [*images, *lengths, *constants, *room, pointer(types.float64)]

    def kernel(
        first: Any, second: Any, length: int, rows: int, columns: int, centre: float, c1: float, c2: float, whole: bool,
        planes: Any, row: Any, windows: Any, out: Any,
    ) -> None:  # fmt: skip
        _walk(
            carray(first, (length, rows, columns)),
            carray(second, (length, rows, columns)),
            centre,
            c1,
            c2,
            whole,
            carray(planes, (SUMS, rows, columns)),
            carray(row, (SUMS, columns)),
            carray(windows, (SUMS, columns - WINDOW + 1)),
            carray(out, (length - WINDOW + 1, rows - WINDOW + 1, columns - WINDOW + 1)),
        )

    return str(cfunc(types.void(*arguments), error_model="numpy")(kernel).inspect_llvm())


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
    for s in range(SUMS):
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
    for s in range(SUMS):
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
    for s in range(SUMS):
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
