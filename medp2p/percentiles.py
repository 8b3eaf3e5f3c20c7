"""Percentiles of scans: exact, linear, in float64, and fast where voxels are small integers."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_CHUNK: Final = 1 << 15
_LONGEST_HISTOGRAM: Final = 1 << 17


def percentiles(values: NDArray[Any], wanted: Sequence[float]) -> tuple[float, ...]:
    """Percentiles with linear interpolation, as `numpy.percentile` defines them, computed in float64.

    Args:
        values: At least one number, any shape and type.
        wanted: Per cent, 0 to 100.

    Examples:
        >>> percentiles(np.arange(5, dtype=np.uint8), (0.0, 50.0, 90.0))
        (0.0, 2.0, 3.6)
    """
    flat = values.reshape(-1, order="A") if values.flags.forc else values.ravel(order="K")
    last = flat.size - 1
    places = [last * per_cent / 100 for per_cent in wanted]
    ranks = sorted({rank for place in places for rank in (int(place), min(int(place) + 1, last))})
    at = dict(zip(ranks, _order_statistics(flat, ranks), strict=True))
    found = []
    for place in places:
        below, above, share = at[int(place)], at[min(int(place) + 1, last)], place - int(place)
        found.append(below + (above - below) * share)
    return tuple(found)


def _order_statistics(flat: NDArray[Any], ranks: list[int]) -> list[float]:
    """The values at some places of the sorted array."""
    if flat.dtype.kind in "ui":
        low, high = int(flat.min()), int(flat.max())
        if high - low < _LONGEST_HISTOGRAM:
            counts = np.zeros(high - low + 1, np.int64)
            for start in range(0, flat.size, _CHUNK):
                part = flat[start : start + _CHUNK]
                above = part - flat.min() if flat.dtype.kind == "u" else np.subtract(part, low, dtype=np.int64)
                counts += np.bincount(above.astype(np.int64, copy=False), minlength=counts.size)
            return [float(low + int(place)) for place in np.searchsorted(np.cumsum(counts), ranks, side="right")]
    ordered = np.partition(flat, ranks)
    return [float(ordered[rank]) for rank in ranks]
