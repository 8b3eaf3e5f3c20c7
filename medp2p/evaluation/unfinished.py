"""What an evaluation keeps while it is unfinished, so that the same work goes on where it stopped."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final, Self

from medp2p._version import __version__
from medp2p.errors import Fault, FileError, OutputExistsError
from medp2p.evaluation.pictures import CasePictures
from medp2p.evaluation.protocol_table import protocols
from medp2p.evaluation.rows import SCORE_COLUMNS, json_row, row_of_json
from medp2p.evaluation.scores import Scores
from medp2p.io.atomic import is_temporary, sweep_stale, write_json
from medp2p.io.json_read import read_object
from medp2p.io.machine import file_error

FOLDER: Final = ".medp2p-unfinished"


@dataclass(frozen=True)
class CaseResult:
    """What is kept of one case."""

    scores: Scores
    pictures: CasePictures


@dataclass(frozen=True)
class Unfinished:
    """The folder of an evaluation while it is worked on.

    Attributes:
        output: The evaluation's folder.
        made: Whether it was made for this work.
    """

    output: Path
    made: bool

    @classmethod
    def start(cls, output: str | PathLike[str], work: Mapping[str, Any], *, overwrite: bool) -> Self:
        """Begin, or go on with the same work.

        Args:
            output: The folder of the evaluation.
            work: What is to be done, as plain values: the same work is that with the same values.
            overwrite: Whether files of an earlier evaluation may be replaced.

        Raises:
            OutputExistsError: The folder holds anything but the same work unfinished, and `overwrite` is not given.
            FileError: It is no folder, or cannot be made.
        """
        place, identity = Path(output), {"version": __version__, "work": _digest(work)}
        try:
            names = [entry.name for entry in place.iterdir()] if place.exists() else []
            made = not place.exists()
            same = read_object(place / FOLDER / "work.json") == identity
            others = [name for name in names if not is_temporary(name)]
            if others and not same and not overwrite:
                raise OutputExistsError(
                    output,
                    "the folder is not empty",
                    found=", ".join(sorted(others)[:5]),
                    fix="choose another folder, or replace what evaluate writes with --overwrite",
                )
            if not same:
                shutil.rmtree(place / FOLDER, ignore_errors=True)
            (place / FOLDER).mkdir(parents=True, exist_ok=True)
            shutil.rmtree(place / FOLDER / "writing", ignore_errors=True)
            sweep_stale(place)
            write_json(place / FOLDER / "work.json", identity)
        except NotADirectoryError:
            raise FileError(output, "this is a file, and a folder is to be written", fix="choose another -o") from None
        except OSError as error:
            if isinstance(error, OutputExistsError | FileError):
                raise
            raise file_error(output, error, doing="written") from None
        return cls(place, made)

    def get(self, case: str, key: str) -> CaseResult | None:
        """The result of a case that was scored before from the same contents; None where there is none."""
        stored = read_object(self._entry(case))
        return _result(case, stored) if stored is not None and stored.get("key") == key else None

    def put(self, case: str, key: str, result: CaseResult) -> None:
        """Keep the result of a case."""
        stored = {
            "key": key,
            "protocol": result.scores.protocol.name,
            "patient": result.scores.patients.get(case),
            "facts": dict(result.scores.facts.get(case, {})),
            "rows": [json_row(row, SCORE_COLUMNS) for row in result.scores],
            "pictures": result.pictures.as_json(),
        }
        write_json(self._entry(case), stored)

    def refuse(self, case: str, faults: Sequence[Fault]) -> None:
        """Keep that a case was refused; it is tried again when the work goes on."""
        write_json(self._entry(case), {"refused": [astuple(fault) for fault in faults]})

    def outcome(self, case: str) -> CaseResult | tuple[Fault, ...] | None:
        """What became of a case in this work, by whichever process; None where it is not done."""
        stored = read_object(self._entry(case))
        if stored is None:
            return None
        if "refused" in stored:
            return tuple(Fault(*each) for each in stored["refused"])
        return _result(case, stored)

    def claim(self) -> bool:
        """Whether it falls to this process to write the files: to one alone of those that share the work."""
        try:
            (self.output / FOLDER / "writing").mkdir()
        except OSError:
            return False
        return True

    def finish(self) -> None:
        """Remove what was kept: the evaluation is written."""
        shutil.rmtree(self.output / FOLDER, ignore_errors=True)

    def give_up(self) -> None:
        """Leave nothing of a work in which every case was refused."""
        self.finish()
        if self.made and self.output.is_dir() and not any(self.output.iterdir()):
            self.output.rmdir()

    def _entry(self, case: str) -> Path:
        name = hashlib.sha256(case.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        return self.output / FOLDER / f"{name}.json"


def _result(case: str, stored: Mapping[str, Any]) -> CaseResult | None:
    try:
        rows = tuple(row_of_json(row) for row in stored["rows"])
        patients = {} if stored["patient"] is None else {case: stored["patient"]}
        scores = Scores(rows, protocols[stored["protocol"]], patients, {case: stored["facts"]})
        return CaseResult(scores, CasePictures.from_json(stored["pictures"]))
    except (KeyError, TypeError, ValueError):
        return None


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
