"""Scores as the few lines that a terminal shows: the mean of each region, and what could not be given."""

from collections.abc import Mapping, Sequence
from typing import Final

from medp2p.evaluation.case import NOT_WEIGHTED
from medp2p.evaluation.comparison import Comparison
from medp2p.evaluation.rows import Cell, Row, number, text
from medp2p.evaluation.scores import Scores

SHOWN: Final = ("mae", "psnr", "ssim")
"""Metrics of the tables; the files have all of them."""
MOST_REGIONS: Final = 20
"""Rows of a table at most; whole-body label maps have over a hundred regions."""
_ALWAYS: Final = ("volume", "body", "weighted", "outside")
_WIDEST_NAME: Final = 28  # so that three columns beside it fit into a line of 100
_NARROWEST: Final = 13
_LEVEL: Final = 0.05


def score_lines(scores: Scores) -> list[str]:
    """The mean of each region over the cases, for people.

    Args:
        scores: Of one case or more.

    Returns:
        Lines of at most 100 characters. A mean that some cases are missing from has their number, one without any is
        `undefined`.
    """
    cells: dict[str, dict[str, str]] = {}
    for (region, metric), rows in _grouped(scores.rows).items():
        if not all(row["reason"] == NOT_WEIGHTED for row in rows):
            cells.setdefault(region, {})[metric] = _mean_cell(rows)
    count = len(scores.cases)
    lines = [f"mean of {count} cases" if count > 1 else "one case"]
    lines[0] += f", protocol {scores.protocol.name}"
    lines += region_table({metric: _unit(scores.rows, metric) for metric in SHOWN}, cells, more="summary.csv")
    if any("(" in cell for row in cells.values() for cell in row.values()):
        lines.append("undefined, or not of every case: scores.csv has the reason of each")
    return lines


def comparison_lines(found: Comparison) -> list[str]:
    """The means of two evaluations side by side with who wins in how many patients, and the whole in a sentence.

    Args:
        found: The comparison.

    Returns:
        Lines of at most 100 characters.
    """
    rows = {(text(row, "region"), text(row, "metric")): row for row in found if row["metric"] in SHOWN}
    cells: dict[str, dict[str, str]] = {}
    for (region, metric), row in rows.items():
        cells.setdefault(region, {})[metric] = _pair_cell(row)
    cells = {region: row for region, row in cells.items() if region in _ALWAYS[:2] or any(map(_is_told, row.values()))}
    patients = max((int(number(row, "patients") or 0) for row in rows.values()), default=0)
    lines = [
        f"A: {found.name_a:.80}",
        f"B: {found.name_b:.80}",
        f"means of A and B over {patients} patient{'s' * (patients != 1)}, and how many of them each wins",
    ]
    lines += region_table({metric: _unit(found.rows, metric) for metric in SHOWN}, cells, more="compare.csv")
    if any(cell.endswith("*") for row in cells.values() for cell in row.values()):
        lines.append(f"* p < {_LEVEL:g} after Holm's correction")
    return [*lines, *_verdict(rows)]


def region_table(
    units: Mapping[str, str], cells: Mapping[str, Mapping[str, str]], *, more: str, title: str = "region"
) -> list[str]:
    """A heading and a line for each region.

    Args:
        units: Of each metric that has a column; empty for pure numbers.
        cells: Of each region, what stands under each metric.
        more: Where the regions are that find no room.
        title: Over the names of the regions.

    Examples:
        >>> for line in region_table({"mae": "HU", "ssim": ""}, {"body": {"mae": "51.2", "ssim": "0.9"}}, more="x"):
        ...     print(line)
        region     mae (HU)         ssim
        body           51.2          0.9
    """
    shown = [*cells]
    if len(shown) > MOST_REGIONS:
        places = MOST_REGIONS - sum(name in _ALWAYS for name in shown)
        others = [name for name in shown if name not in _ALWAYS][:places]
        shown = [name for name in shown if name in _ALWAYS or name in others]
    heads = {metric: f"{metric} ({unit})" if unit else metric for metric, unit in units.items()}
    columns = {metric: [head, *(cells[region].get(metric, "-") for region in shown)] for metric, head in heads.items()}
    names = [name if len(name) <= _WIDEST_NAME else f"{name[: _WIDEST_NAME - 1]}…" for name in (title, *shown)]
    padded = [[f"{name:<{max(map(len, names))}}" for name in names]]
    for column in columns.values():
        width = max(_NARROWEST, 2 + max(map(len, column)))
        padded.append([f"{cell:>{width}}" for cell in column])
    lines = ["".join(line).rstrip() for line in zip(*padded, strict=True)]
    return lines + [f"… and {len(cells) - len(shown)} more regions in {more}"] * (len(cells) > len(shown))


def _grouped(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["metric"] in SHOWN:
            found.setdefault((text(row, "region"), text(row, "metric")), []).append(row)
    return found


def _unit(rows: Sequence[Mapping[str, Cell]], metric: str) -> str:
    """The unit that all rows of a metric have."""
    units = {text(row, "unit") for row in rows if row["metric"] == metric}
    return units.pop() if len(units) == 1 else ""


def _mean_cell(rows: Sequence[Row]) -> str:
    values = [value for row in rows if (value := number(row)) is not None]
    of_all = "" if len(values) == len(rows) else f" ({len(values)} of {len(rows)})"
    return (f"{sum(values) / len(values):.4g}" if values else "undefined") + of_all


def _pair_cell(row: Mapping[str, Cell]) -> str:
    if not row["patients"]:
        return "undefined"
    means = [_short(number(row, name)) for name in ("mean_a", "mean_b")]
    sure = (number(row, "p_holm") or 1.0) < _LEVEL
    return f"{means[0]:>8}{means[1]:>9}  {row['wins_a']}:{row['wins_b']}{'*' if sure else ' '}"


def _is_told(cell: str) -> bool:
    return cell != "undefined"


def _short(value: float | None) -> str:
    """A mean; of infinite values alone there is none."""
    return "inf" if value is None else f"{value:.4g}"


def _verdict(rows: Mapping[tuple[str, str], Mapping[str, Cell]]) -> list[str]:
    """Which is better where most people look first: the mean absolute error of the body."""
    errors = {name: rows.get((name, "mae"), {}) for name in ("body", "volume")}
    region = next((name for name, row in errors.items() if number(row, "difference") is not None), None)
    if region is None:
        return ["neither can be called better: no value is defined in both"]
    row = errors[region]
    difference, unit, patients = number(row, "difference") or 0.0, text(row, "unit"), row["patients"]
    if not difference:
        return [f"{region}: A and B have the same mae"]
    better, wins = ("A", row["wins_a"]) if difference > 0 else ("B", row["wins_b"])
    line = f"{region}: {better} is better by {abs(difference):.3g} {unit} of mae, in {wins} of {patients} patients"
    low, high = number(row, "ci_low"), number(row, "ci_high")
    if low is None or high is None:
        return [line, "one patient has no interval"]
    unsure = ", which holds 0: it may be chance" if low <= 0 <= high else ""
    return [line, f"95 % interval of B - A: {low:.3g} to {high:.3g} {unit}{unsure}"]
