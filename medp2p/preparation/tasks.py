"""`medp2p prepare`: raw scans to an aligned cohort; what is finished is kept, what is bad stops no other."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from medp2p.cores import usable_cores
from medp2p.errors import ConfigError, Fault, FileError, GeometryError, Medp2pError, OutputExistsError, fault
from medp2p.io import refuse_file_name
from medp2p.io.atomic import sweep_stale, write_json, write_text
from medp2p.io.labels import read_label_table
from medp2p.io.machine import file_error, memory_error
from medp2p.many import each_case
from medp2p.many.shard import shard
from medp2p.preparation.alignment import align
from medp2p.preparation.masks import TISSUES
from medp2p.preparation.options import PreparationOptions, read_options, refuse_unknown_channels
from medp2p.preparation.outputs import (
    FAILED_FOLDER,
    check_place,
    clear_other_place,
    finished,
    place_of,
    read_ours,
    read_statement,
    statement,
    work,
    write_case,
)
from medp2p.preparation.quality import FAILED
from medp2p.preparation.raw_cases import RawCase, find_raw_cases
from medp2p.preparation.report import reported_cases, write_report
from medp2p.preparation.scans import read_scans

logger = logging.getLogger(__name__)

PathLike_ = str | PathLike[str]
Progress = Callable[[int, int, str], None]
LABEL_TABLE = "labels.yaml"
OPTIONS = "preparation.json"
"""What a cohort is prepared with; it marks the folder as ours."""


@dataclass(frozen=True)
class Prepared:
    """What `prepare` did.

    Attributes:
        made: The folders of the cases written, in the order they were.
        kept: The folders of those that were finished before.
        index: The page over all of them.
    """

    made: tuple[Path, ...]
    kept: tuple[Path, ...]
    index: Path


@dataclass(frozen=True)
class _Row:
    """What came of one case."""

    folder: Path
    verdict: str
    reasons: tuple[str, ...]
    new: bool


def prepare(
    raw: PathLike_,
    output: PathLike_,
    *,
    set: Sequence[str] = (),
    overwrite: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    shard_of: str | None = None,
    progress: Progress | None = None,
    made: Callable[[Path], None] | None = None,
) -> Prepared:
    """Turns raw scans of patients into an aligned cohort with masks, numbers and quality pictures.

    Args:
        raw: One sub-folder per case; in it each channel as an image file of its name or as a folder with one DICOM
            series, `body` and `regions` if there are any. `labels.yaml` beside the cases names the labels.
        output: Gets `<case>/<channel>.nii.gz`, `body.nii.gz` and `regions.nii.gz`, all on the grid of the CT, or of
            the channel that `onto` names; `labels.yaml`, `index.html`, `quality.csv`. Failed cases go to `.failed`.
        set: `key=VALUE` for each option; see `PreparationOptions`.
        overwrite: Make cases anew that are there.
        workers: Processes at once.
        cluster: `slurm`, or the address of a dask scheduler.
        shard_of: `i/n` for part i of n of the cases, i from 1.
        progress: Called with done, total and what was done.
        made: Called with the folder of each case as soon as it is written, and with the index at the end.

    Returns:
        What was made, and what was finished before.

    Raises:
        Medp2pError: The options, the folders or a case cannot be used, or a case has failed; every other case is done
            first.
    """
    options = read_options(set)
    names = _names(Path(raw), options)
    refuse_file_name(output)
    cases, faults = find_raw_cases(raw)
    if cases:
        refuse_unknown_channels(options, (channel for case in cases for channel in case.channels))
    mine = shard(tuple(cases), shard_of)
    target = _opened(Path(raw), Path(output), options, overwrite=overwrite)
    begin = partial(_begin, target, options, overwrite, names, workers)
    rows: list[_Row] = []
    refused: list[str] = []
    with closing(each_case(begin, mine, workers=workers, cluster=cluster, name=lambda case: case.id)) as outcomes:
        for done, (case, outcome) in enumerate(outcomes, 1):
            if isinstance(outcome, Medp2pError):
                faults += outcome.faults
                refused.append(case.id)
            else:
                rows.append(outcome)
                if outcome.verdict == FAILED:
                    faults.append(_failed(case, outcome))
                elif outcome.new and made:
                    made(outcome.folder)
            if progress:
                progress(done, len(mine), f"prepare {case.id}")
    _write_names(target, names, faults)
    index = write_report(target, refused)
    if made:
        made(index)
    kept = tuple(row.folder for row in rows if not row.new)
    if kept:
        logger.info("%d of %d cases were finished before and are kept", len(kept), len(rows))
    if faults:
        raise FileError.several(faults)
    return Prepared(tuple(row.folder for row in rows if row.new), kept, index)


def _begin(
    output: Path, options: PreparationOptions, overwrite: bool, names: Mapping[int, str] | None, workers: int
) -> Callable[[RawCase], _Row]:
    """What a process does once: in one of several, ITK takes its share of the cores."""
    if workers > 1:
        import SimpleITK as sitk

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(max(1, usable_cores() // workers))
    return partial(_one, output, options, overwrite, names)


def _one(
    output: Path, options: PreparationOptions, overwrite: bool, names: Mapping[int, str] | None, case: RawCase
) -> _Row:
    """One case, from its files to its folder."""
    first = next(iter(case.channels.values()))
    try:
        check_place(output, case.id)
        scans = read_scans(case, onto=options.onto, names=names)
        before = None if overwrite else finished(output, case.id, work(scans.hashes, options))
        if before is not None:
            return _Row(before[0], before[1]["verdict"], tuple(before[1]["reasons"]), new=False)
        aligned = align(scans, options)
        folder = place_of(output, case.id, aligned.verdict)
        write_case(aligned, folder, statement(aligned, scans.hashes, options), overwrite=overwrite)
        clear_other_place(folder, output, case.id)
    except Medp2pError as error:
        raise _named(error, case) from None
    except OSError as error:
        raise file_error(output / case.id, error, doing="written") from None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "allocat" in str(error):
            raise memory_error(first) from error
        raise GeometryError(
            None,
            "the registration gave up",
            key=case.id,
            found=str(error).strip().splitlines()[-1][:200],
            fix="look at its scans: very few slices, or next to nothing in them",
        ) from error
    return _Row(folder, aligned.verdict, aligned.reasons, new=True)


def _named(error: Medp2pError, case: RawCase) -> Medp2pError:
    """The error with the case in every fault that names no file."""
    named = type(error).several(each if each.path or each.key else replace(each, key=case.id) for each in error.faults)
    named.exit_code = error.exit_code
    return named


def _failed(case: RawCase, row: _Row) -> Fault:
    return fault(
        None,
        "the registration failed, so the case is kept out of the cohort",
        key=case.id,
        found="; ".join(row.reasons),
        fix=f"look at its pictures in {row.folder}; set the scans right, or leave one out",
    )


def _opened(raw: Path, output: Path, options: PreparationOptions, *, overwrite: bool) -> Path:
    """The folder to write into, made and marked as ours.

    Raises:
        OutputExistsError: It holds something else, or was made with other options.
        FileError: It cannot be made.
    """
    if output.exists() and output.samefile(raw):
        raise OutputExistsError(output, "the cohort would be written over the raw scans", fix="choose another folder")
    if raw.resolve() in output.resolve().parents:
        raise ConfigError(
            output,
            "the cohort would lie among the raw scans, where it is taken for a case",
            key="-o",
            fix="choose a folder outside of them",
        )
    if output.exists() and not output.is_dir():
        raise OutputExistsError(output, "this is a file, and a folder is needed", fix="choose another name")
    try:
        output.mkdir(parents=True, exist_ok=True)
        sweep_stale(output)
        sweep_stale(output / FAILED_FOLDER)
        there = any(output.iterdir())
    except OSError as error:
        raise file_error(output, error, doing="made") from None
    said = read_ours(output / OPTIONS)
    wanted = json.loads(options.model_dump_json())
    if there and not overwrite:
        _refuse_other_work(output, said, wanted)
    if said is None or said.get("options") != wanted:
        write_json(output / OPTIONS, {"medp2p": "prepare", "options": wanted})
    return output


def _refuse_other_work(output: Path, said: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
    if said is None:
        raise OutputExistsError(
            output, "the folder is not empty", fix="choose another folder, or ask for it with --overwrite"
        )
    if not reported_cases(output):
        return  # nothing was made with the options of before
    before = said.get("options")
    known = before if isinstance(before, dict) else {}
    other = [key for key, value in wanted.items() if known.get(key) != value]
    if other:
        raise OutputExistsError(
            output,
            "the cohort in it was prepared with other options",
            found=", ".join(f"{key}={json.dumps(known.get(key))}" for key in other),
            expected=", ".join(f"{key}={json.dumps(wanted[key])}" for key in other),
            fix="choose another folder, or ask for it with --overwrite",
        )


def _names(raw: Path, options: PreparationOptions) -> dict[int, str] | None:
    """The label table beside the raw cases; None where there is none.

    Raises:
        ConfigError: It calls the labels otherwise that thresholds would give.
    """
    if not (raw / LABEL_TABLE).is_file():
        return None
    names, _ = read_label_table(raw / LABEL_TABLE)
    clash = [label for label, name in TISSUES.items() if names.get(label, name) != name]
    if options.regions and clash:
        raise ConfigError(
            raw / LABEL_TABLE,
            "the labels of regions by HU have other names here",
            key="--set regions",
            found=", ".join(f"{label}: {names[label]}" for label in clash),
            expected=", ".join(f"{label}: {TISSUES[label]}" for label in clash),
            fix="leave regions out, or number the labels otherwise",
        )
    return names


def _write_names(output: Path, names: Mapping[int, str] | None, faults: list[Fault]) -> None:
    """`labels.yaml` beside the cases: the table of the raw scans, else what their label maps say together."""
    together: dict[int, str] = dict(names or {})
    for case in reported_cases(output):
        said = read_statement(case.folder) or {}
        for label, name in sorted((int(label), name) for label, name in said.get("names", {}).items()):
            if together.setdefault(label, name) != name:
                found = f"{together[label]} and {name}"
                faults.append(
                    fault(None, f"label {label} has two names in the cohort", key=case.id, found=found,
                          fix=f"put a {LABEL_TABLE} beside the raw cases")
                )  # fmt: skip
    if together:
        lines = (f"{label}: {json.dumps(name, ensure_ascii=False)}\n" for label, name in sorted(together.items()))
        write_text(output / LABEL_TABLE, "".join(lines))
