"""report.html: one self-contained file that opens offline, from templates in which every value is escaped."""

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any, Final

import numpy as np

from medp2p.errors import printable
from medp2p.evaluation.measured import METRICS, merit
from medp2p.evaluation.pictures import CasePictures, Picture
from medp2p.evaluation.plots import distribution, error_plot, joint_plot
from medp2p.evaluation.rows import Cell, Row, number, text
from medp2p.evaluation.scores import NOTICE, STATISTICS, Scores, producers

LARGEST_BYTES: Final = 4_900_000
"""Of a report: pictures take what tables and plots leave."""
LEAST_PICTURE_BYTES: Final = 1_000_000
"""Of all pictures together, as stored, however long the tables of a large cohort are."""
NAMES: Final = {
    "mae": "MAE",
    "me": "ME",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "dice": "Dice",
    "hd95": "HD95",
    "scale": "scale",
}
_DIGITS: Final = {"HU": 1, "dB": 2, "range": 4, "mm": 2, "scan": 2, "level": 2}


@dataclass(frozen=True)
class TableCell:
    """A number of a table as text, its interval and the reason for what is missing."""

    value: str
    interval: str = ""
    reason: str = ""


def build_report(
    scores: Scores,
    pictures: Sequence[CasePictures] = (),
    *,
    viewer: str | None = None,
) -> str:
    """The report as HTML.

    Args:
        scores: Of one or more cases.
        pictures: Of those cases that have some, in any order.
        viewer: Name of the viewer's file beside the report.
    """
    summary, shown = scores.summary(), {each.case: each for each in pictures}
    order = sorted(scores.cases, key=lambda case: _badness(scores, case))
    joints = [each.joint for each in pictures if each.joint is not None]
    joint = reduce(add, joints) if joints else None
    rows_of: dict[str, list[Row]] = {}
    for row in scores:
        rows_of.setdefault(text(row, "case"), []).append(row)
    metrics = [metric for metric in NAMES if any(row["metric"] == metric for row in scores)]
    plots = [(distribution(scores.rows, summary, m, NAMES[m]), _unit(summary, m)) for m in metrics if m in METRICS]
    cases = [_case(case, rows_of[case], scores.patients.get(case), metrics) for case in order]
    page = partial(
        render,
        "report.html.j2",
        protocol=scores.protocol,
        notice=NOTICE,
        verdict=_verdict(scores, summary, order),
        faults=scores.refused,
        heads=[_head(summary, metric) for metric in metrics],
        table=_table(scores, summary, metrics),
        notes=notes_of([row for row in summary if row["mean"] is None]),
        distributions=[(plot, unit) for plot, unit in plots if plot is not None],
        joint=None if joint is None else joint_plot(joint),
        errors=None if joint is None else error_plot(joint),
        viewer=viewer,
        cases=cases,
        statistics=STATISTICS,
        provenance=_provenance(scores),
    )
    rest = len(page(pictures=dict.fromkeys(order, ()), left_out=0).encode("utf-8", "surrogateescape"))
    budget = max(LEAST_PICTURE_BYTES, 3 * (LARGEST_BYTES - rest) // 4)  # base 64 makes 4 bytes of 3
    kept, left_out = _within_budget([shown.get(case, CasePictures(case)) for case in order], budget)
    return page(pictures={case: [_embedded(p) for p in found] for case, found in kept.items()}, left_out=left_out)


def render(template: str, **values: Any) -> str:
    """A template of this room with every value escaped, and no control character in any."""
    import jinja2

    folder = Path(__file__).parent / "templates"
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,  # Markup is our own text
    )
    style = (folder / "style.css.j2").read_text(encoding="utf-8")

    return environment.get_template(template).render(style=Markup(style), **values)  # noqa: S704 - our own style sheet


def decimals(value: float | None, unit: Cell) -> str:
    """A number with the digits that its unit deserves.

    Examples:
        >>> decimals(32.9368, "HU"), decimals(0.98765, None), decimals(float("inf"), "dB"), decimals(None, "HU")
        ('32.9', '0.988', '∞', '–')
        >>> decimals(-0.04, "HU")
        '0.0'
    """
    if value is None:
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    digits = _DIGITS.get(str(unit), 3)
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _in_words(unit: Cell) -> str:
    """A unit behind a number in a sentence."""
    return {"range": " of the range", "scan": ""}.get(str(unit), f" {unit}" if unit else "")


def _unit(summary: Sequence[Row], metric: str) -> str:
    return next((text(row, "unit") for row in summary if row["metric"] == metric and row["unit"]), "")


def _head(summary: Sequence[Row], metric: str) -> str:
    unit = _unit(summary, metric)
    return f"{NAMES[metric]}, {unit}" if unit else NAMES[metric]


def _verdict(scores: Scores, summary: Sequence[Row], order: Sequence[str]) -> list[str]:
    """A sentence for the body, and for the weighted regions against the rest where there are some."""
    lines = []
    rows = {(row["region"], row["metric"]): row for row in summary}
    for region in ("body", "weighted", "outside"):
        parts = []
        for metric in ("mae", "psnr", "ssim"):
            row = rows.get((region, metric))
            if row is None or not row["cases"]:
                continue
            value = decimals(number(row, "mean"), row["unit"])
            spread = "" if row["std"] is None else f" ± {decimals(number(row, 'std'), row['unit'])}"
            parts.append(f"{NAMES[metric]} {value}{spread}{_in_words(row['unit'])}")
        if parts:
            lines.append(f"{region.capitalize()}: {', '.join(parts)}.")
    if len(order) > 1:
        lines.append(f"Largest error in the body: {order[0]}; smallest: {order[-1]}.")
    return lines or ["No value could be given; the table says why."]


def _badness(scores: Scores, case: str) -> tuple[bool, float]:
    """Sorts cases so that the largest error in the body comes first, and those without one last."""
    value = scores.value(case, "body", "mae")
    return (value is None, 0.0 if value is None else merit("mae", value))


def _table(scores: Scores, summary: Sequence[Row], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """A line for every region; one walk over the rows, of which there may be a hundred thousand."""
    rows, cases = {(row["region"], row["metric"]): row for row in summary}, len(scores.cases)
    voxels: dict[str, list[int]] = {}
    for row in scores:
        if row["metric"] == "mae":
            voxels.setdefault(text(row, "region"), []).append(int(row["voxels"] or 0))
    return [
        {
            "region": region,
            "voxels": f"{int(np.median(counts)):,}",
            "cells": [_summary_cell(rows.get((region, metric)), cases) for metric in metrics],
        }
        for region, counts in voxels.items()
    ]


def _summary_cell(row: Row | None, cases: int) -> TableCell:
    if row is None:
        return TableCell("", reason="this metric does not exist here")
    unit, count = row["unit"], int(row["cases"] or 0)
    value = decimals(number(row, "mean"), unit)
    value += "" if row["std"] is None else f" ± {decimals(number(row, 'std'), unit)}"
    value += f" (n = {count})" if 0 < count < cases else ""
    low, high = (decimals(number(row, column), unit) for column in ("ci_low", "ci_high"))
    interval = f"{low} to {high}" if row["ci_low"] is not None else ""
    return TableCell(value, interval, text(row, "reason"))


def notes_of(rows: Sequence[Row]) -> list[str]:
    """Every reason once, with the regions and metrics that it stands for."""
    where: dict[str, list[str]] = {}
    for row in rows:
        if row["reason"]:
            where.setdefault(text(row, "reason"), []).append(f"{text(row, 'region')} {NAMES[text(row, 'metric')]}")
    return [f"{', '.join(places[:12])}{' …' if len(places) > 12 else ''}: {why}" for why, places in where.items()]


def _case(case: str, own: Sequence[Row], patient: str | None, metrics: Sequence[str]) -> dict[str, Any]:
    rows = {(text(row, "region"), text(row, "metric")): row for row in own}
    table = []
    for region in dict.fromkeys(region for region, _ in rows):
        cells = []
        for metric in metrics:
            row = rows.get((region, metric))
            found = (
                TableCell("") if row is None else TableCell(decimals(number(row), row["unit"]), "", text(row, "reason"))
            )
            cells.append(found)
        table.append({"region": region, "voxels": f"{int(rows[region, 'mae']['voxels'] or 0):,}", "cells": cells})
    parts = []
    for metric in ("mae", "me", "psnr", "ssim"):
        row = rows["body", metric]
        parts.append(f"{NAMES[metric]} {decimals(number(row), row['unit'])}{_in_words(row['unit'])}")
    line = f"Body: {', '.join(parts)}." + (f" Patient {patient}." if patient not in (None, case) else "")
    return {"name": case, "line": line, "table": table}


def _embedded(picture: Picture) -> dict[str, str]:
    return {"data": b64encode(picture.png).decode("ascii"), "alt": picture.alt, "title": picture.title}


def _within_budget(pictures: Sequence[CasePictures], budget: int) -> tuple[dict[str, list[Picture]], int]:
    """The first picture of every case, worst case first, then the second of each, until the report is full."""
    kept: dict[str, list[Picture]] = {each.case: [] for each in pictures}
    queue = [
        (each.case, each.pictures[rank])
        for rank in range(max((len(each.pictures) for each in pictures), default=0))
        for each in pictures
        if rank < len(each.pictures)
    ]
    size = 0
    for place, (case, picture) in enumerate(queue):
        size += len(picture.png)
        if size > budget:
            return kept, len(queue) - place
        kept[case].append(picture)
    return kept, 0


def _provenance(scores: Scores) -> list[tuple[str, str]]:
    """What produced the scores, as words."""
    found = [("produced by", ", ".join(f"{name} {version}" for name, version in producers().items()))]
    bodies = [text(facts, "body") for facts in scores.facts.values()]
    if bodies:
        found.append(("body masks", f"{bodies.count('given')} given, {bodies.count('found')} found on the reference"))
    values: Mapping[str, Any] = scores.provenance
    found += [(str(key), value if isinstance(value, str) else json.dumps(value)) for key, value in values.items()]
    return found
