"""Rows of scores.csv and summary.csv: their columns, and how they stand in CSV and in strict JSON."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from medp2p.errors import printable

Cell = str | int | float | None
Row = dict[str, Cell]

SCORE_COLUMNS: Final = (
    "case",
    "region",
    "label",
    "voxels",
    "metric",
    "value",
    "unit",
    "protocol",
    "data_range",
    "reason",
)
SUMMARY_COLUMNS: Final = (
    "region",
    "label",
    "metric",
    "cases",
    "mean",
    "std",
    "median",
    "q25",
    "q75",
    "min",
    "max",
    "ci_low",
    "ci_high",
    "unit",
    "protocol",
    "data_range",
)
INFINITE: Final = "infinite: predicted and reference are equal here"
"""Strict JSON has no infinity: the value is null there, and the reason begins with this."""


def csv_text(rows: Iterable[Mapping[str, Cell]], columns: Sequence[str]) -> str:
    r"""Rows as CSV that a spreadsheet cannot mistake for formulae, with empty cells for None.

    Examples:
        >>> csv_text([{"region": "=1+1", "value": -2.5}, {"region": "a,b", "value": None}], ["region", "value"])
        'region,value\n\'=1+1,-2.5\n"a,b",\n'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(column)) for column in columns] for row in rows])
    return text.getvalue()


def _cell(value: Cell) -> str:
    """Numbers exactly; text without control characters, and quoted where a spreadsheet would compute it."""
    if value is None:
        return ""
    if isinstance(value, str):
        shown = printable(value)
        return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") else shown
    return repr(value)


def json_row(row: Mapping[str, Cell], columns: Sequence[str]) -> Row:
    """A row for strict JSON: null for what is empty or infinite; the reason tells which.

    Examples:
        >>> json_row({"value": float("inf"), "reason": None}, ["value", "reason"])
        {'value': None, 'reason': 'infinite: predicted and reference are equal here'}
    """
    found: Row = {column: row.get(column) for column in columns}
    if any(isinstance(cell, float) and math.isinf(cell) for cell in found.values()):
        reason = found.get("reason")
        if "value" in found:
            found["reason"] = f"{INFINITE}; {reason}" if reason else INFINITE
        found = {name: None if isinstance(c, float) and not math.isfinite(c) else c for name, c in found.items()}
    return found


def row_of_json(row: Mapping[str, Cell]) -> Row:
    """The row that `json_row` was given."""
    found, reason = dict(row), row.get("reason")
    if isinstance(reason, str) and reason.startswith(INFINITE):
        found["value"] = math.inf
        found["reason"] = reason.removeprefix(INFINITE).removeprefix("; ") or None
    return found


def number(row: Mapping[str, Cell], column: str = "value") -> float | None:
    """A number of a row, None where the cell is empty."""
    cell = row.get(column)
    return float(cell) if isinstance(cell, int | float) else None


def text(row: Mapping[str, Cell], column: str) -> str:
    """A text of a row; empty where the cell is."""
    cell = row.get(column)
    return "" if cell is None else str(cell)
