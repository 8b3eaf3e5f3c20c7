"""Statistics over patients: what summary.csv holds of each region and metric."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.rows import Cell, Row, number, text

RESAMPLES: Final = 2000
INTERVAL: Final = 0.95
SEED: Final = 20_250_101
"""Any number does; a fixed one gives the same interval to everybody who has the same scores."""

Floats = NDArray[np.float64]


def summarise(
    rows: Iterable[Mapping[str, Cell]], patients: Mapping[str, str] | None = None, *, seed: int = SEED
) -> list[Row]:
    """One row per region and metric, in the order in which they first come.

    Args:
        rows: Rows of scores.
        patients: The patient of a case; a case that is not named is a patient of its own.
        seed: Of the bootstrap.

    Returns:
        Rows with the columns of summary.csv and `reason`. Empty values count in no number; one infinite value makes
        mean and maximum infinite and leaves spread and interval empty; with one case there is neither.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Cell]]] = {}
    for row in rows:
        groups.setdefault((text(row, "region"), text(row, "metric")), []).append(row)
    return [_summary(group, patients or {}, seed) for group in groups.values()]


def _summary(group: Sequence[Mapping[str, Cell]], patients: Mapping[str, str], seed: int) -> Row:
    with_value = [(text(row, "case"), value) for row in group if (value := number(row)) is not None]
    values = np.array([value for _, value in with_value], np.float64)
    owners = [patients.get(case, case) for case, _ in with_value]
    summary: Row = {name: _common(group, name) for name in ("region", "label", "metric")}
    summary |= {"cases": len(values)}
    summary |= dict.fromkeys(("mean", "std", "median", "q25", "q75", "min", "max", "ci_low", "ci_high"))
    summary |= {name: _common(group, name) for name in ("unit", "protocol", "data_range")}
    summary["reason"] = _reason(group, values, owners)
    if not len(values):
        return summary
    summary |= {"mean": float(values.mean()), "min": float(values.min()), "max": float(values.max())}
    summary |= {name: quantile(values, q) for name, q in (("q25", 0.25), ("median", 0.5), ("q75", 0.75))}
    if np.isfinite(values).all():
        if len(values) > 1:
            summary["std"] = float(values.std(ddof=1))
        if len(set(owners)) > 1:
            summary["ci_low"], summary["ci_high"] = bootstrap_interval(values, owners, seed=seed)
    return summary


def quantile(values: Floats, share: float) -> float:
    """Linear quantile that stays defined beside infinite values.

    Examples:
        >>> quantile(np.array([1.0, 2.0, 4.0]), 0.25), quantile(np.array([1.0, 2.0, np.inf]), 0.5)
        (1.5, 2.0)
    """
    ordered, place = np.sort(values), share * (len(values) - 1)
    below, above, part = float(ordered[int(place)]), float(ordered[math.ceil(place)]), place - int(place)
    return below if not part or below == above else below + (above - below) * part


def bootstrap_interval(values: Floats, owners: Sequence[str], *, seed: int = SEED) -> tuple[float, float]:
    """95 % percentile interval of the mean, patients drawn with replacement, each with all of its cases.

    Args:
        values: Finite, one a case.
        owners: The patient of each; two different ones at least.
        seed: The same seed and scores give the same interval.
    """
    index = {owner: i for i, owner in enumerate(sorted(set(owners)))}
    places = np.array([index[owner] for owner in owners])
    totals = np.bincount(places, values, len(index))
    counts = np.bincount(places, minlength=len(index)).astype(np.float64)
    drawn = np.random.default_rng(seed).multinomial(len(index), np.full(len(index), 1 / len(index)), RESAMPLES)
    means = (drawn @ totals) / (drawn @ counts)
    low, high = np.percentile(means, [50 * (1 - INTERVAL), 50 * (1 + INTERVAL)])
    return float(low), float(high)


def _common(group: Sequence[Mapping[str, Cell]], column: str) -> Cell:
    """What all rows of a group have in a column; None where they differ, as data ranges of MR do."""
    cells = {row.get(column) for row in group}
    return cells.pop() if len(cells) == 1 else None


def _reason(group: Sequence[Mapping[str, Cell]], values: Floats, owners: Sequence[str]) -> str | None:
    parts = []
    empty = [row for row in group if number(row) is None]
    if empty:
        cause, count = Counter(text(row, "reason") for row in empty).most_common(1)[0]
        parts.append(
            f"{len(empty)} of {len(group)} cases left out; {cause}" + (f" ({count})" if len(empty) > 1 else "")
        )
    infinite = int(np.isinf(values).sum())
    if infinite:
        parts.append(f"{infinite} of {len(values)} cases infinite: mean and max are, spread and interval are left out")
    elif len(values) == 1:
        parts.append("one case has no spread")
    elif len(values) and len(set(owners)) == 1:
        parts.append("one patient has no interval")
    return "; ".join(parts) or None
