"""A list of cases as a CSV file, as spreadsheets save it."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path

from pydantic import ValidationError

from medp2p.config.case_entry import CaseEntry
from medp2p.config.messages import message_of, place_of
from medp2p.config.places import absolute
from medp2p.config.strict_yaml import shown
from medp2p.config.text_file import read_text
from medp2p.errors import ConfigError, Fault, fault
from medp2p.nearest import did_you_mean, nearest

MAX_CSV_BYTES = 50_000_000
_KEYS = tuple(CaseEntry.model_fields)


def read_cases_csv(path: str | PathLike[str], channels: Sequence[str]) -> list[CaseEntry]:
    """The cases of a CSV file with a header line: id, split, the channels; patient, regions, body, allow if wanted.

    Comma or semicolon, as the header line has it; an empty cell is an absent value; several label maps or waived
    checks in one cell are divided by `|`.

    Args:
        path: UTF-8 with or without byte-order mark. Relative paths in it are relative to its folder.
        channels: The names of sources and targets; each must have a column and a file in every row.

    Raises:
        FileError: There is no such file.
        ConfigError: A column or a cell is refused; every fault with its line.
    """
    text = read_text(path, limit=MAX_CSV_BYTES)
    rows = list(_rows(text, path))
    if not rows:
        raise ConfigError(
            path, "no case in it", fix=f"write a header line with id, split, {', '.join(channels)}, and cases"
        )
    header = [name.strip() for name in rows[0][1]]
    faults = list(_columns(path, header, channels, rows[0][0]))
    if faults:
        raise ConfigError.several(faults)
    entries: list[CaseEntry] = []
    for line, cells in rows[1:]:
        entry, found = _entry(path, line, header, cells, channels)
        faults += found
        entries += [entry] if entry else []
    faults += _repeated(path, [line for line, _ in rows[1:]], entries) if not faults else []
    if not rows[1:]:
        faults.append(fault(path, "no case in it", fix="write a line for each case below the header", line=1))
    if faults:
        raise ConfigError.several(faults)
    return entries


def _rows(text: str, path: str | PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row that is not blank."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",", strict=True
    )
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ConfigError(
            path, f"no CSV: {error}", line=reader.line_num, fix="save the table again as CSV UTF-8"
        ) from error


def _columns(path: str | PathLike[str], header: list[str], channels: Sequence[str], line: int) -> Iterator[Fault]:
    known = (*_KEYS, *channels)
    if len(header) == 1 and "\t" in header[0]:
        yield fault(path, "tabs between the columns", expected="commas or semicolons",
                    fix="save the table again as CSV UTF-8", line=line)  # fmt: skip
        return
    meant = {nearest(name, known) for name in header if name not in known}
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield fault(path, "the column is there twice", fix="keep one", key=name or "(no name)", line=line)
    for name in header:
        if name not in known:
            fix = did_you_mean(name, known, f"remove it; known are {', '.join(known)}")
            yield fault(path, "unknown column", found=shown(name), fix=fix, key=name or "(no name)", line=line)
    for name in ("id", "split", *channels):
        if name not in header and name not in meant:
            yield fault(path, "a column is missing", fix=f"add a column {name}", key=name, line=line)


def _entry(
    path: str | PathLike[str], line: int, header: list[str], cells: list[str], channels: Sequence[str]
) -> tuple[CaseEntry | None, list[Fault]]:
    """The case of one row, or what is wrong with it."""
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        found, expected = f"{len(cells)} cells", f"{len(header)} as in the header"
        return None, [
            fault(path, "more cells than columns", found=found, expected=expected, fix="quote cells", line=line)
        ]
    given = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
    missing = [name for name in ("id", "split", *channels) if name not in given]
    if missing:
        return None, [fault(path, "the cell is empty", fix="fill it in", key=name, line=line) for name in missing]
    content = {name: _value(name, cell, Path(path).parent) for name, cell in given.items()}
    try:
        return CaseEntry.model_validate_json(json.dumps(content)), []
    except ValidationError as error:
        faults = []
        for detail in error.errors(include_url=False):
            keys = place_of(detail, content)
            cause, seen, wanted, fix = message_of(detail, CaseEntry, keys, {})
            faults.append(fault(path, cause, found=seen, expected=wanted, fix=fix, key=".".join(keys), line=line))
        return None, faults


def _value(name: str, cell: str, folder: Path) -> str | list[str]:
    if name in ("id", "split", "patient"):
        return cell
    if name == "allow":
        return [word for word in re.split(r"[\s,;|\[\]]+", cell) if word]
    if name == "regions":
        return [str(absolute(folder / part.strip())) for part in cell.split("|") if part.strip()]
    return str(absolute(folder / cell))


def _repeated(path: str | PathLike[str], lines: list[int], entries: list[CaseEntry]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for line, entry in zip(lines, entries, strict=True):
        if first.setdefault(entry.id, line) != line:
            cause = f"line {first[entry.id]} has this id too"
            yield fault(fspath(path), cause, found=entry.id, fix="give each case an id of its own", key="id", line=line)
