"""Two evaluations of the same cases: paired differences per region and metric, and who wins in how many patients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import Fault, FileError, OutputExistsError, fault, listed
from medp2p.evaluation.measured import BETTER, merit
from medp2p.evaluation.report import NAMES, decimals, notes_of, render
from medp2p.evaluation.rows import Cell, Row, csv_text, json_row, number, text
from medp2p.evaluation.scores import NOTICE, SCHEMA_VERSION, Scores, producers, read_scores
from medp2p.evaluation.statistics import RESAMPLES, SEED, bootstrap_interval
from medp2p.io.atomic import is_temporary, write_json, write_text
from medp2p.io.machine import as_file_error

COMPARE_CSV: Final = "compare.csv"
COMPARE_JSON: Final = "compare.json"
COMPARE_HTML: Final = "compare.html"
COLUMNS: Final = (
    "region",
    "label",
    "metric",
    "better",
    "patients",
    "mean_a",
    "mean_b",
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "wins_a",
    "wins_b",
    "ties",
    "unit",
    "protocol",
    "data_range",
    "reason",
)
METHOD: Final = (
    "Differences are B - A of the means of each patient; of me they are differences of magnitudes. The interval is the "
    f"95 % percentile bootstrap by patients, {RESAMPLES} resamples, seed {SEED}. p is the two-sided Wilcoxon "
    "signed-rank test, p_holm its Holm correction over all rows of this table. An infinite PSNR wins or ties, and "
    "is in no mean."
)
_FEWEST: Final = 2
_MOST_NAMED: Final = 8
OF_WEIGHTS: Final = ("weighted", "outside")
"""Regions that the weights of a model make, and not the anatomy."""
OTHER_WEIGHTS: Final = "the two evaluations weigh different regions"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two evaluations compared: an iterable of rows with the columns of compare.csv.

    Attributes:
        folder: Where it was written.
        rows: One per region and metric.
        name_a: Of the first evaluation, its folder's name.
        name_b: Of the second.
    """

    folder: Path
    rows: tuple[Row, ...]
    name_a: str
    name_b: str

    def __iter__(self) -> Any:
        return iter(self.rows)

    def as_json(self) -> dict[str, Any]:
        """What compare.json holds, as plain values."""
        return {
            "schema": "medp2p.comparison",
            "schema_version": SCHEMA_VERSION,
            "notice": NOTICE,
            "a": self.name_a,
            "b": self.name_b,
            "method": METHOD,
            "produced_by": producers(),
            "rows": [json_row(row, COLUMNS) for row in self.rows],
        }


def compare(
    dir_a: str | PathLike[str], dir_b: str | PathLike[str], output: str | PathLike[str], *, overwrite: bool = False
) -> Comparison:
    """Compare two evaluations of the same cases, and write compare.csv, compare.json and compare.html.

    Args:
        dir_a: A folder that `evaluate` wrote.
        dir_b: Another, of the same cases, references, masks and protocol.
        output: Folder to write to.
        overwrite: Replace an earlier comparison in it, and nothing else.

    Raises:
        FileError: A folder holds no scores; or cases, references, regions or protocols differ, and every difference is
            named; or the output is a file or cannot be made.
        OutputExistsError: The output folder is not empty, and `overwrite` is not given.
    """
    first, second = read_scores(dir_a), read_scores(dir_b)
    faults = list(_differences(first, second, fspath(dir_b)))
    if faults:
        raise FileError.several(faults)
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise FileError(output, "this is a file, and a folder is to be written", fix="choose another -o")
    others = [each.name for each in folder.iterdir() if not is_temporary(each.name)] if folder.is_dir() else []
    if others and not overwrite:
        raise OutputExistsError(output, "the folder is not empty", found=", ".join(sorted(others)[:5]),
                                fix="choose another folder, or replace a comparison with --overwrite")  # fmt: skip
    name_a, name_b = (Path(each).resolve().name for each in (dir_a, dir_b))
    found = Comparison(folder, tuple(compared(first, second)), name_a, name_b)
    with as_file_error(output, doing="made"):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / COMPARE_CSV, csv_text(found.rows, COLUMNS))
    write_text(folder / COMPARE_HTML, _page(found, len(first.cases)))
    write_json(folder / COMPARE_JSON, found.as_json())
    return found


def compared(first: Scores, second: Scores) -> list[Row]:
    """The rows of a comparison of two evaluations of the same cases."""
    pairs: dict[tuple[str, str], list[tuple[Row, Row]]] = {}
    others = {_key(row): row for row in second}
    for row in first:
        pairs.setdefault((text(row, "region"), text(row, "metric")), []).append((row, others[_key(row)]))
    rows = [_compared(_of_one_region(group), first.patients) for group in pairs.values()]
    corrected = iter(holm([p for row in rows if (p := number(row, "p")) is not None]))
    return [row | {"p_holm": None if row["p"] is None else next(corrected)} for row in rows]


def _of_one_region(group: Sequence[tuple[Row, Row]]) -> Sequence[tuple[Row, Row]]:
    """Pairs of values; without any where `weighted` or `outside` are not the same voxels in both evaluations.

    Two models that weigh regions differently are what one wants to compare, and their named regions are the same.
    """
    if group[0][0]["region"] not in OF_WEIGHTS or all(a["voxels"] == b["voxels"] for a, b in group):
        return group
    return [(a | {"value": None, "reason": OTHER_WEIGHTS}, b | {"value": None}) for a, b in group]


def holm(values: Sequence[float]) -> list[float]:
    """Holm's correction of p values for being several.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure".

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    corrected, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, values[index] * (len(values) - rank)))
        corrected[index] = highest
    return corrected


def _key(row: Mapping[str, Cell]) -> tuple[str, str, str]:
    return text(row, "case"), text(row, "region"), text(row, "metric")


def _compared(group: Sequence[tuple[Row, Row]], patients: Mapping[str, str]) -> Row:
    """One row: means per patient first, then everything over patients."""
    example, metric = group[0][0], text(group[0][0], "metric")
    values: dict[str, list[tuple[float, float]]] = {}
    for row_a, row_b in group:
        a, b = number(row_a), number(row_b)
        if a is not None and b is not None:
            values.setdefault(patients.get(text(row_a, "case"), text(row_a, "case")), []).append((a, b))
    by_patient = [tuple(float(x) for x in np.mean(each, axis=0)) for each in values.values()]
    ours = np.array(by_patient, np.float64).reshape(-1, 2)
    merits = np.array([[merit(metric, x) for x in pair] for pair in by_patient], np.float64).reshape(-1, 2)
    finite = ours[np.isfinite(ours).all(axis=1)]
    row: Row = {name: example.get(name) for name in ("region", "label", "metric")}
    row |= {"better": BETTER[metric], "patients": len(ours)}
    row |= dict.fromkeys(("mean_a", "mean_b", "difference", "ci_low", "ci_high", "p", "p_holm"))
    row |= {
        "wins_a": int((merits[:, 0] > merits[:, 1]).sum()),
        "wins_b": int((merits[:, 1] > merits[:, 0]).sum()),
        "ties": int((merits[:, 1] == merits[:, 0]).sum()),
    }
    ranges = {r.get("data_range") for pair in group for r in pair}
    row |= {"unit": example.get("unit"), "protocol": example.get("protocol")}
    row |= {"data_range": ranges.pop() if len(ranges) == 1 else None, "reason": _reason(group, ours, finite)}
    if len(finite):
        row |= {"mean_a": float(finite[:, 0].mean()), "mean_b": float(finite[:, 1].mean())}
        row |= _tested(np.abs(finite) if metric == "me" else finite)
    return row


def _tested(values: NDArray[np.float64]) -> Row:
    differences = values[:, 1] - values[:, 0]
    found: Row = {"difference": float(differences.mean())}
    if len(differences) < _FEWEST:
        return found
    found["ci_low"], found["ci_high"] = bootstrap_interval(differences, [str(i) for i in range(len(differences))])
    found["p"] = 1.0 if not differences.any() else _wilcoxon(differences)
    return found


def _wilcoxon(differences: NDArray[np.float64]) -> float:
    from scipy.stats import wilcoxon

    ties = len(set(np.abs(differences))) < len(differences) or not differences.all()
    return float(wilcoxon(differences, method="approx" if ties or len(differences) > 50 else "exact").pvalue)


def _reason(group: Sequence[tuple[Row, Row]], ours: NDArray[np.float64], finite: NDArray[np.float64]) -> str | None:
    if all(a["reason"] == OTHER_WEIGHTS for a, _ in group):
        return OTHER_WEIGHTS
    parts = []
    lacking = sum(number(a) is None or number(b) is None for a, b in group)
    if lacking:
        parts.append(f"{lacking} of {len(group)} cases have no value in both")
    if len(finite) < len(ours):
        parts.append(f"{len(ours) - len(finite)} of {len(ours)} patients infinite, in wins only")
    if 0 < len(finite) < _FEWEST:
        parts.append("one patient has no interval and no test")
    return "; ".join(parts) or None


def _differences(first: Scores, second: Scores, path: str) -> list[Fault]:
    """Everything that makes two evaluations incomparable."""
    if first.protocol != second.protocol:
        return [fault(path, "the protocols differ", found=second.protocol.name, expected=first.protocol.name,
                      fix="evaluate both under one protocol")]  # fmt: skip
    found = []
    for what, ours, theirs in (("cases", first.cases, second.cases), ("regions", first.regions, second.regions)):
        if set(ours) != set(theirs):
            found.append(fault(path, f"the {what} differ", found=listed(theirs, _MOST_NAMED),
                               expected=listed(ours, _MOST_NAMED),
                               fix=f"evaluate both on the same {what}"))  # fmt: skip
    if found:
        return found
    for case in first.cases:
        hash_a, hash_b = (text(each.facts.get(case, {}), "reference_sha256") for each in (first, second))
        if hash_a and hash_b and hash_a != hash_b:
            found.append(fault(path, "another reference", key=case, found=hash_b[:12], expected=hash_a[:12],
                               fix="evaluate both against the same reference"))  # fmt: skip
    voxels = {_key(row): row["voxels"] for row in second if row["metric"] == "mae"}
    for row in first:
        if row["metric"] == "mae" and row["region"] not in OF_WEIGHTS and voxels[_key(row)] != row["voxels"]:
            found.append(fault(path, f"the region {row['region']} is another one", key=text(row, "case"),
                               found=f"{voxels[_key(row)]} voxels", expected=row["voxels"],
                               fix="evaluate both with the same masks"))  # fmt: skip
    lacking_rows = {_key(row) for row in first} ^ {_key(row) for row in second}
    if not found and lacking_rows:
        case, region, metric = min(lacking_rows)
        found.append(fault(path, f"only one evaluation has {metric} of {region}", key=case,
                           fix="evaluate both with the same options"))  # fmt: skip
    return found


def _page(found: Comparison, cases: int) -> str:
    lines = []
    for row in found.rows:
        unit = row["unit"]
        value = {name: decimals(number(row, name), unit) for name in ("mean_a", "mean_b", "difference")}
        low, high = (decimals(number(row, name), unit) for name in ("ci_low", "ci_high"))
        holm_p = number(row, "p_holm")
        lines.append(
            {
                "region": row["region"],
                "metric": NAMES[text(row, "metric")] + (f", {unit}" if unit else ""),
                "interval": "" if row["ci_low"] is None else f"{low} to {high}",
                "p": _short(number(row, "p")),
                "p_holm": _short(holm_p),
                "significant": holm_p is not None and holm_p < 0.05 and math.isfinite(holm_p),
                "wins": f"{row['wins_a']} / {row['wins_b']} / {row['ties']}",
                "better": row["better"],
                "patients": row["patients"],
                "reason": row["reason"] or "",
                **value,
            }
        )
    return render("compare.html.j2", notice=NOTICE, method=METHOD, name_a=found.name_a, name_b=found.name_b,
                  cases=cases, lines=lines, notes=notes_of(found.rows), versions=producers())  # fmt: skip


def _short(p: float | None) -> str:
    return "–" if p is None else f"{p:.3f}" if p >= 0.001 else "< 0.001"
