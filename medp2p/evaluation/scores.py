"""Scores: every row of an evaluation with what produced it, and the files it is kept in."""

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, Self

from medp2p._version import __version__
from medp2p.errors import FileError
from medp2p.evaluation.measured import METRICS
from medp2p.evaluation.protocol import Protocol
from medp2p.evaluation.protocol_table import protocols
from medp2p.evaluation.rows import (
    SCORE_COLUMNS,
    SUMMARY_COLUMNS,
    Cell,
    Row,
    csv_text,
    json_row,
    number,
    row_of_json,
    text,
)
from medp2p.evaluation.statistics import RESAMPLES, SEED, summarise

NOTICE: Final = "Research use only: these numbers say how alike two scans are, not whether one is fit for care."
STATISTICS: Final = (
    "std has ddof 1, quartiles are linear, the interval is the 95 % percentile bootstrap of the mean by patients, "
    f"{RESAMPLES} resamples, seed {SEED}"
)
SCHEMA_VERSION: Final = 1
_PRODUCERS: Final = ("numpy", "scipy", "scikit-image", "monai")


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of one or more cases under one protocol: an iterable of rows with the columns of scores.csv.

    Attributes:
        rows: One dict per case, region and metric; None where a cell is empty.
        protocol: How they were scored.
        patients: The patient of a case, for cases that are not patients of their own.
        facts: What is known of each case: hashes of both scans, whether the body was found.
        provenance: What else produced them, such as a model's hashes; plain JSON values.
        refused: Cases that could not be scored, and why, a line each.
    """

    rows: tuple[Row, ...]
    protocol: Protocol
    patients: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, Cell]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Scores({len(self.cases)} cases, {len(self.regions)} regions, {self.protocol.name})"

    @property
    def cases(self) -> tuple[str, ...]:
        """Every case once, in order."""
        return tuple(dict.fromkeys(text(row, "case") for row in self.rows))

    @property
    def regions(self) -> tuple[str, ...]:
        """Every region once, in order."""
        return tuple(dict.fromkeys(text(row, "region") for row in self.rows))

    @classmethod
    def combine(
        cls, parts: Iterable["Scores"], *, provenance: Mapping[str, Any] | None = None, refused: Iterable[str] = ()
    ) -> Self:
        """The scores of several cases as one; they must be under one protocol, and there must be one at least.

        A region that only some cases have gets rows without a value in the others.
        """
        several = list(parts)
        protocol = several[0].protocol
        if any(part.protocol.name != protocol.name for part in several):
            raise ValueError(f"scores of different protocols: {', '.join(sorted({p.protocol.name for p in several}))}")
        return cls(
            _complete([row for part in several for row in part.rows]),
            protocol,
            {case: patient for part in several for case, patient in part.patients.items()},
            {case: facts for part in several for case, facts in part.facts.items()},
            provenance if provenance is not None else several[0].provenance,
            tuple(refused),
        )

    def value(self, case: str, region: str, metric: str) -> float | None:
        """One value; None where it is empty.

        Raises:
            KeyError: There is no such row.
        """
        return self._values[case, region, metric]

    @cached_property
    def _values(self) -> Mapping[tuple[str, str, str], float | None]:
        return {(text(row, "case"), text(row, "region"), text(row, "metric")): number(row) for row in self.rows}

    def summary(self, *, seed: int = SEED) -> list[Row]:
        """Statistics over patients, one row per region and metric, with the columns of summary.csv and a reason."""
        return summarise(self.rows, self.patients, seed=seed)

    def to_csv(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write scores.csv.

        Raises:
            OutputExistsError: The file exists and `overwrite` is not given.
        """
        from medp2p.io.atomic import write_text

        write_text(path, csv_text(self.rows, SCORE_COLUMNS), overwrite=overwrite)

    def to_json(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write scores.json: rows, summary, protocol spelt out, producers; strict JSON.

        Raises:
            OutputExistsError: The file exists and `overwrite` is not given.
        """
        from medp2p.io.atomic import write_json

        write_json(path, self.as_json(), overwrite=overwrite)

    def as_json(self) -> dict[str, Any]:
        """What `to_json` writes, as plain values; an infinite value is null with a reason that says so."""
        return {
            "schema": "medp2p.scores",
            "schema_version": SCHEMA_VERSION,
            "notice": NOTICE,
            "protocol": {
                "name": self.protocol.name,
                "title": self.protocol.title,
                "details": list(self.protocol.details),
                "window": None if self.protocol.window is None else list(self.protocol.window),
            },
            "statistics": STATISTICS,
            "produced_by": producers(),
            "provenance": dict(self.provenance),
            "cases": {case: {"patient": self.patients.get(case, case)} | dict(self.facts.get(case, {}))
                      for case in self.cases},
            "refused": list(self.refused),
            "regions": list(self.regions),
            "scores": [json_row(row, SCORE_COLUMNS) for row in self.rows],
            "summary": [json_row(row, (*SUMMARY_COLUMNS, "reason")) for row in self.summary()],
        }  # fmt: skip


def _complete(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows of all cases with the same regions in each, in the order in which cases and regions first come."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((text(row, "case"), text(row, "region")), []).append(row)
    regions = dict.fromkeys(region for _, region in found)
    last = [region for region in regions if region in ("weighted", "outside")]
    order = [*(region for region in regions if region not in last), *last]
    example = {region: next(rows for (_, name), rows in found.items() if name == region) for region in regions}
    cases = {case: rows[0]["data_range"] for (case, _), rows in reversed(found.items())}
    return tuple(
        row
        for case in dict.fromkeys(case for case, _ in found)
        for region in order
        for row in found.get((case, region)) or _absent(case, cases[case], example[region])
    )


def _absent(case: str, data_range: Cell, example: Sequence[Row]) -> Iterator[Row]:
    """Rows of a region that a case does not have, made from those of another case."""
    for row in example:
        if row["metric"] in METRICS:
            yield row | {
                "case": case,
                "voxels": 0,
                "value": None,
                "data_range": data_range,
                "reason": "the region holds no voxel in this case",
            }


def producers() -> dict[str, str]:
    """Versions of what computes scores."""
    found = {"medp2p": __version__, "python": platform.python_version()}
    for name in _PRODUCERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def read_scores(folder: str | PathLike[str]) -> Scores:
    """The scores of a folder that `evaluate` wrote.

    Args:
        folder: The folder, or its scores.json.

    Raises:
        FileError: There is no scores.json, or it is none of ours.
    """
    path = Path(folder)
    path = path / "scores.json" if path.is_dir() else path
    if not path.is_file():
        raise FileError(fspath(folder), "no scores.json here", fix="give a folder that `medp2p evaluate` wrote")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        protocol = protocols[stored["protocol"]["name"]]
        if list(protocol.details) != stored["protocol"]["details"] or stored["schema_version"] != SCHEMA_VERSION:
            raise ValueError("its protocol is defined otherwise here")
        cases = stored["cases"]
        return Scores(
            tuple(row_of_json(row) for row in stored["scores"]),
            protocol,
            {case: facts["patient"] for case, facts in cases.items() if facts["patient"] != case},
            {case: {k: v for k, v in facts.items() if k != "patient"} for case, facts in cases.items()},
            stored["provenance"],
            tuple(stored["refused"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(
            path,
            "this is no scores.json of this version",
            found=f"{type(error).__name__}: {error}",
            fix="evaluate anew",
        ) from None
