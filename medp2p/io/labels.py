"""Label tables: which label is called what, from the files that people have for it."""

import csv
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from medp2p.errors import Fault, FileError, RegionError, fault
from medp2p.io.exact import read_small
from medp2p.io.label_names import Groups, Names, label_names, label_of

PathLike = str | os.PathLike[str]
Row = tuple[int, str, str]
"""Line, label and name as they stand in a table."""

TOTALSEGMENTATOR = "totalsegmentator"
_LARGEST_FILE_BYTES = 1_000_000
_BACKGROUND = {"clear label", "background"}


def read_label_table(path: PathLike) -> tuple[Names, Groups]:
    """The names of labels, and of unions of them.

    Args:
        path: A YAML file of names (`1: brain`, or `brain: 1`, or `lesion: [4, 5]`, and `groups: {name: [members]}`),
            an ITK-SNAP label description, nnU-Net's dataset.json, a colour table of 3D Slicer (.ctbl, .txt, .csv), or
            the word `totalsegmentator` for the 117 classes of its version 2.

    Returns:
        Label -> name, and group -> the names it joins.

    Raises:
        FileError: The file is missing or cannot be read.
        ConfigError: A YAML file that is none.
        RegionError: It is no label table, or contradicts itself; every fault with its line where there is one.
    """
    if str(path) == TOTALSEGMENTATOR and not Path(path).exists():
        from medp2p.io.totalsegmentator import TOTAL_V2

        return dict(TOTAL_V2), {}
    kind = Path(path).suffix.lower()
    if kind in (".yaml", ".yml"):
        from medp2p.config.strict_yaml import read_strict_yaml

        return label_names(_mapping(path, read_strict_yaml(path).content), path=path)
    text = _text(path)
    if kind == ".json":
        return _dataset_json(path, text)
    if kind == ".csv":
        return _named(path, _csv_rows(path, text))
    return _named(path, _table_rows(text))


def _mapping(path: PathLike, content: object) -> Mapping[str, object]:
    if not isinstance(content, Mapping):
        raise RegionError(path, "no label table: it holds no mapping", fix="write lines such as 1: brain")
    return content


def _text(path: PathLike) -> str:
    try:
        return read_small(path, _LARGEST_FILE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(path, "no UTF-8 text", found=f"byte {error.start}", fix="save it as UTF-8") from None


def _dataset_json(path: PathLike, text: str) -> tuple[Names, Groups]:
    """nnU-Net's dataset.json: `labels` name -> label or list (version 2), or label -> name (version 1)."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise RegionError(path, "a key stands twice in one place", fix="keep one of them")
        return dict(pairs)

    try:
        content = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, RegionError):
            raise
        line = getattr(error, "lineno", None)
        raise RegionError(path, "no JSON", line=line, fix="correct the text on that line") from None
    labels = content.get("labels") if isinstance(content, dict) else None
    if labels is None:
        raise RegionError(path, "no label table: it has no labels", fix='write {"labels": {"brain": 1}}')
    return label_names(_mapping(path, labels), path=path)


def _csv_rows(path: PathLike, text: str) -> Iterator[Row]:
    """Slicer's colour table as CSV: the columns LabelValue and Name, among others."""
    lines = text.splitlines()
    header = lines[0] if lines else ""
    rows = _parsed(path, csv.reader(lines, delimiter=";" if header.count(";") > header.count(",") else ","))
    columns = [cell.strip().lower() for cell in next(rows, [])]
    if "labelvalue" not in columns or "name" not in columns:
        raise RegionError(
            path, "no colour table", line=1, found=header[:60], expected="columns LabelValue and Name", fix="name them"
        )
    label, name = columns.index("labelvalue"), columns.index("name")
    for number, cells in enumerate(rows, start=2):
        if any(cell.strip() for cell in cells):
            row = [*cells, *[""] * len(columns)]
            yield number, row[label].strip(), row[name].strip()


def _parsed(path: PathLike, rows: Iterable[list[str]]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise RegionError(path, f"no CSV: {error}", fix="save the table again as CSV UTF-8") from None


def _table_rows(text: str) -> Iterator[Row]:
    """ITK-SNAP: `IDX R G B A VIS MSH "LABEL"`. Slicer: `index name R G B A`."""
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        quoted = re.fullmatch(r'(\d+)\s[^"]*"([^"]*)"', bare)
        words = bare.split()
        label, name = quoted.groups() if quoted else (words[0], words[1] if len(words) > 1 else "")
        yield number, label, name


def _named(path: PathLike, rows: Iterable[Row]) -> tuple[Names, Groups]:
    """The rows of a table, one label each."""
    names: Names = {}
    faults: list[Fault] = []
    for line, value, name in rows:
        label = label_of(value)
        if label is None or not name:
            fix = "give a file of ITK-SNAP or 3D Slicer, or write one as YAML (1: brain)"
            found = f"{value} {name}"[:60]
            faults.append(fault(path, "no label with its name", line=line, found=found, fix=fix))
        elif label in names:
            faults.append(fault(path, f"label {label} stands here again", line=line, fix="keep one of the lines"))
        else:
            names[label] = "background" if label == 0 and name.lower() in _BACKGROUND else name
    if faults:
        raise RegionError.several(faults[:20])
    return label_names(names, path=path)
