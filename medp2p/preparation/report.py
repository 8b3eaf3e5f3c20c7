"""`index.html` over a cohort, worst first: one file with all pictures in it, and the same numbers as a table."""

import base64
import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medp2p.io.atomic import write_text
from medp2p.preparation.outputs import BESIDE, FAILED_FOLDER, read_statement
from medp2p.preparation.quality import VERDICTS

INDEX, TABLE = "index.html", "quality.csv"
_JPEG_QUALITY = 80
_NUMBERS = {
    "information_before": "MI before, nats",
    "information_after": "MI after, nats",
    "shift_mm": "moved, mm",
    "shift_max_mm": "at most, mm",
    "rotation_degrees": "turned, degrees",
    "overlap": "body in view",
    "body_dice": "bodies' Dice",
    "least_jacobian": "least volume",
    "start": "start",
}

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Prepared scans</title><style>
:root{color-scheme:light dark;font:15px/1.45 system-ui,sans-serif}body{max-width:62rem;margin:2rem auto;padding:0 1rem}
section{border:1px solid #8886;border-left:.6rem solid;border-radius:.4rem;padding:.6rem 1rem;margin:1rem 0}
.failed{border-left-color:#c62828}.look{border-left-color:#e69500}.good{border-left-color:#2e7d32}
h2{margin:.2rem 0;font-size:1.1rem}table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5rem 0}
td,th{padding:.15rem .7rem .15rem 0;text-align:right;font-weight:normal}th{opacity:.75}img{max-width:100%;display:block}
th:first-child,td:first-child{text-align:left}figure{margin:.6rem 0}figcaption{opacity:.75}p{margin:.4rem 0}
</style></head><body>
<h1>Prepared scans</h1>
<p>{{ cases|length }} cases:
{% for verdict in verdicts %}{{ counts[verdict] }} {{ verdict }}{{ ", " if not loop.last }}{% endfor %}.
Worst first. {% if refused %}Refused before anything was made: {{ refused|join(", ") }}.{% endif %}</p>
<p>Above: checkerboard of the scan that stayed and the scan that was moved. Below: the outlines of the scan that stayed,
its body in blue and what is bright in it in yellow, on the moved scan. Drawn in millimetres; the patient's right is at
the left, the front of the sagittal plane at the left. Failed cases lie in the folder {{ failed_folder }}, which
training passes over.
Symmetric heads hide a left-right flip: letters and a known asymmetry tell, no number does.
Research use only. The pictures show faces: treat this file as patient data.</p>
{% for case in cases %}<section class="{{ case.verdict }}"><h2>{{ case.id }}: {{ case.verdict }}</h2>
{% for reason in case.reasons %}<p>{{ reason }}</p>{% endfor %}
{% if case.rows %}<table><tr><th>onto {{ case.onto }}</th>{% for name in numbers %}<th>{{ name }}</th>{% endfor %}</tr>
{% for channel, row in case.rows.items() %}<tr><td>{{ channel }}</td>
{% for value in row %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}</table>{% endif %}
{% for channel, picture in case.pictures.items() %}<figure>
<img alt="{{ channel }} on {{ case.onto }}" src="{{ picture }}">
<figcaption>{{ channel }} on {{ case.onto }}</figcaption></figure>{% endfor %}</section>
{% endfor %}</body></html>
"""


@dataclass(frozen=True)
class ReportedCase:
    """What the index shows of a case."""

    id: str
    verdict: str
    reasons: tuple[str, ...]
    onto: str
    quality: Mapping[str, Mapping[str, Any]]
    folder: Path

    @property
    def rank(self) -> tuple[int, float, str]:
        """Worst first: by verdict, then by the least Dice of its channels."""
        dice = [row["body_dice"] or 0.0 for row in self.quality.values()]
        return VERDICTS.index(self.verdict), min(dice, default=1.0), self.id

    @property
    def rows(self) -> dict[str, list[str]]:
        """The numbers of each moved channel as text."""
        return {channel: [_shown(row[name]) for name in _NUMBERS] for channel, row in self.quality.items()}

    @property
    def pictures(self) -> dict[str, str]:
        """Each picture as an address that holds it."""
        found = sorted((self.folder / BESIDE).glob("*.png"))
        return {path.stem: _embedded(path) for path in found}


def write_report(output: Path, refused: Iterable[str] = ()) -> Path:
    """Write `index.html` and `quality.csv` over every case of a cohort that `prepare` made.

    Args:
        output: The cohort.
        refused: Ids of cases that could not be prepared at all.

    Returns:
        The index.
    """
    from jinja2 import Environment

    cases = sorted(reported_cases(output), key=lambda case: case.rank)
    page = Environment(autoescape=True).from_string(_PAGE)
    counts = {verdict: sum(case.verdict == verdict for case in cases) for verdict in VERDICTS}
    text = page.render(
        cases=cases, verdicts=VERDICTS, counts=counts, numbers=_NUMBERS.values(), refused=sorted(refused),
        failed_folder=FAILED_FOLDER,
    )  # fmt: skip
    write_text(output / TABLE, _table(cases))
    write_text(output / INDEX, text)
    return output / INDEX


def reported_cases(output: Path) -> list[ReportedCase]:
    """Every case of a cohort that has a statement."""
    folders = [*output.iterdir(), *((output / FAILED_FOLDER).iterdir() if (output / FAILED_FOLDER).is_dir() else ())]
    found = [(folder, said) for folder in sorted(folders) if folder.is_dir() and (said := read_statement(folder))]
    return [
        ReportedCase(
            folder.name,
            said["verdict"],
            tuple(said["reasons"]),
            said["onto"],
            {name: each["quality"] for name, each in said["channels"].items() if each["quality"]},
            folder,
        )
        for folder, said in found
    ]


def _table(cases: Iterable[ReportedCase]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "channel", "onto", "verdict", *_NUMBERS])
    for case in cases:
        for channel, row in case.quality.items() or {"": dict.fromkeys(_NUMBERS)}.items():
            words = [_harmless(word) for word in (case.id, channel, case.onto, case.verdict)]
            writer.writerow([*words, *("" if row[name] is None else row[name] for name in _NUMBERS)])
    return text.getvalue()


def _harmless(word: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{word}" if word.startswith(("=", "+", "-", "@", "\t")) else word


def _shown(value: object) -> str:
    return "none" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _embedded(path: Path) -> str:
    from PIL import Image

    packed = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(packed, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(packed.getvalue()).decode()}"
