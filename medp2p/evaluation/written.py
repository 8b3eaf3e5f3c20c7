"""The files of an evaluation: scores.csv, summary.csv, scores.json and report.html in one folder."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Final

from medp2p.evaluation.pictures import CasePictures
from medp2p.evaluation.report import build_report
from medp2p.evaluation.rows import SUMMARY_COLUMNS, csv_text
from medp2p.evaluation.scores import Scores
from medp2p.io.atomic import write_text

SCORES_CSV: Final = "scores.csv"
SUMMARY_CSV: Final = "summary.csv"
SCORES_JSON: Final = "scores.json"
REPORT: Final = "report.html"
VIEWER: Final = "viewer.html"
FILES: Final = (SCORES_CSV, SUMMARY_CSV, SCORES_JSON, REPORT, VIEWER)
"""Everything that an evaluation writes."""


def write_evaluation(
    folder: str | PathLike[str],
    scores: Scores,
    pictures: Sequence[CasePictures] = (),
    *,
    viewer: str | None = None,
) -> None:
    """Write the files of an evaluation, each whole or not at all; those of an earlier one are replaced.

    Args:
        folder: Made if it is not there; other files in it are left alone.
        scores: Of one or more cases.
        pictures: Of those cases that shall be shown.
        viewer: HTML of the viewer, if there is one.

    Raises:
        FileError: A file cannot be written.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    scores.to_csv(place / SCORES_CSV, overwrite=True)
    write_text(place / SUMMARY_CSV, csv_text(scores.summary(), SUMMARY_COLUMNS))
    if viewer is None:
        (place / VIEWER).unlink(missing_ok=True)
    else:
        write_text(place / VIEWER, viewer)
    write_text(place / REPORT, build_report(scores, pictures, viewer=None if viewer is None else VIEWER))
    scores.to_json(place / SCORES_JSON, overwrite=True)
