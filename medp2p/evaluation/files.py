"""Evaluation of files: cases are matched, scored one by one or by several workers, and written to one folder."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from medp2p.errors import Fault, FileError, Medp2pError
from medp2p.evaluation.case_files import CaseWork, Names
from medp2p.evaluation.choice import AUTO, limits_of, protocol_called
from medp2p.evaluation.matching import CaseFiles, match_files
from medp2p.evaluation.predictions import Source
from medp2p.evaluation.scores import Scores
from medp2p.evaluation.unfinished import CaseResult, Unfinished
from medp2p.evaluation.viewer import build_viewer, require_viewer, worst_cases
from medp2p.evaluation.written import write_evaluation
from medp2p.io import picture_extension, read_label_table, read_volume
from medp2p.many import each_case, is_plain_loop
from medp2p.many.shard import shard

logger = logging.getLogger(__name__)
Progress = Callable[[int, int, str], object]
_REFUSED = 2
"""Exit code of what was refused; where a machine fails, what is done is kept for the next try."""


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate_files` did.

    Attributes:
        folder: Where the files are.
        scores: Of every case that could be scored.
        faults: Cases that could not, and why; `check` raises them.
        warnings: References without a prediction.
    """

    folder: Path
    scores: Scores
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()

    def check(self) -> None:
        """Raise if a case was refused, after the others have been scored and written.

        Raises:
            FileError: With every fault.
        """
        if self.faults:
            raise FileError.several(self.faults)


def evaluate_files(
    predicted: Source,
    reference: Source,
    regions: Sequence[Source] = (),
    body: Source | None = None,
    *,
    output: str | PathLike[str],
    names: Names = None,
    weighted: Sequence[str] = (),
    protocol: str = AUTO,
    predicted_regions: Source | None = None,
    reference_half: str | None = None,
    viewer: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    shard_of: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score files, folders of files, folders of cases, or what patterns with {case} name.

    Args:
        predicted: The synthetic scans; see `match_files` for what goes together.
        reference: The acquired scans.
        regions: Label maps, each a file, folder or pattern.
        body: Masks of the bodies; None: they are found.
        output: Folder for scores.csv, summary.csv, scores.json and report.html. The same work unfinished goes on.
        names: Label table of the maps, its path, or `totalsegmentator`; None: labels are called by their numbers.
        weighted: Regions that make up `weighted`.
        protocol: A name of `protocols`, or `auto`, which all references must agree on.
        predicted_regions: Label maps of the predictions, for Dice and Hausdorff distance.
        reference_half: `left` or `right`, where the pictures of `reference` hold both of a pair side by side.
        viewer: Write viewer.html too.
        overwrite: Replace the files of an earlier evaluation in the folder, and nothing else.
        workers: Processes on this machine, or jobs on a cluster, that share the cases; see `medp2p.many`.
        cluster: `slurm`, or the address of a dask scheduler; None is this machine.
        shard_of: `i/n` for part i of n of the cases, i from 1. The parts share the folder, and the one that finishes
            last writes the files.
        progress: Called with the number of finished cases, of all, and the case.

    Returns:
        Scores, and the faults of cases that were refused: call `check` on it to raise them.

    Raises:
        FileError: Nothing matches, or every case was refused: then nothing is written.
        ConfigError: The protocol is unknown, or the references are partly in HU.
        OutputExistsError: The folder holds something, and `overwrite` is not given.
    """
    matched = match_files(predicted, reference, regions, body, predicted_regions=predicted_regions)
    cases = [replace(files, reference_half=reference_half) for files in matched.cases]
    return evaluate_cases(
        cases,
        output=output,
        names=names,
        weighted=weighted,
        protocol=protocol,
        viewer=viewer,
        overwrite=overwrite,
        workers=workers,
        cluster=cluster,
        shard_of=shard_of,
        progress=progress,
        faults=matched.faults,
        warnings=matched.warnings,
    )


def evaluate_cases(
    cases: Sequence[CaseFiles],
    *,
    output: str | PathLike[str],
    names: Names = None,
    weighted: Sequence[str] = (),
    protocol: str = AUTO,
    viewer: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    shard_of: str | None = None,
    progress: Progress | None = None,
    provenance: Mapping[str, Any] | None = None,
    faults: Sequence[Fault] = (),
    warnings: Sequence[Fault] = (),
) -> Evaluation:
    """Score cases whose files are known; arguments and errors as for `evaluate_files`.

    Beside those, `provenance` says what made the predictions, such as a model's hashes (it goes into scores.json and
    the report), `faults` are of cases that are known to be refused, and `warnings` are handed on.
    """
    for warning in warnings:
        logger.warning("%s", warning)
    if isinstance(names, str | PathLike):
        read_label_table(names)
    protocol_called(protocol, [])
    mine = shard(tuple(cases), shard_of)
    if viewer:
        require_viewer(pictures=any(picture_extension(files.reference, radiographs=True) for files in cases))
    unfinished = Unfinished.start(output, _identity(cases, names, weighted, protocol), overwrite=overwrite)
    alone = is_plain_loop(len(mine), workers=workers, cluster=cluster)
    try:
        chosen = _one_protocol(cases, protocol)
        work = CaseWork(names, tuple(weighted), chosen, unfinished, None if alone else 1)
        with closing(each_case(work.begin, mine, workers=workers, cluster=cluster, name=_name)) as outcomes:
            for done, (files, outcome) in enumerate(outcomes, start=1):
                if isinstance(outcome, Medp2pError):
                    raise outcome
                if progress is not None:
                    progress(done, len(mine), files.case)
        found = {files.case: unfinished.outcome(files.case) for files in cases}
        refused = [*faults, *(fault for each in found.values() if isinstance(each, tuple) for fault in each)]
        results = [each for each in found.values() if isinstance(each, CaseResult)]
        if not results:
            raise FileError.several(refused)
    except Medp2pError as error:
        if error.exit_code == _REFUSED and shard_of is None:
            unfinished.give_up()
        raise
    scores = Scores.combine(
        [result.scores for result in results], provenance=provenance or {}, refused=map(_without_folder, refused)
    )
    if None not in found.values() and unfinished.claim():
        shown = _viewer(cases, scores) if viewer else None
        write_evaluation(unfinished.output, scores, [result.pictures for result in results], viewer=shown)
        unfinished.finish()
    return Evaluation(unfinished.output, scores, tuple(refused), tuple(warnings))


def _without_folder(refused: Fault) -> str:
    """A fault for files that may be passed on: no folder, which may be called like a patient or a user."""
    return str(refused if refused.path is None else replace(refused, path=Path(refused.path).name))


def _name(files: CaseFiles) -> str:
    return files.case


def _viewer(cases: Sequence[CaseFiles], scores: Scores) -> str:
    """The viewer of the cases with the largest errors."""
    files = {each.case: each for each in cases}
    worst = [files[case] for case in worst_cases(scores)]
    return build_viewer([(f.case, read_volume(f.predicted), f.read_reference()) for f in worst], scores)


def _identity(cases: Sequence[CaseFiles], names: Names, weighted: Sequence[str], protocol: str) -> dict[str, Any]:
    """What makes two works the same one."""
    return {
        "cases": [[files.case, *(str(path.absolute()) for path in files.paths)] for files in cases],
        "names": fspath(names) if isinstance(names, str | PathLike) else [[k, v] for k, v in (names or {}).items()],
        "weighted": list(weighted),
        "protocol": protocol,
        **({"reference_half": cases[0].reference_half} if cases and cases[0].reference_half else {}),
    }


def _one_protocol(cases: Sequence[CaseFiles], protocol: str) -> str:
    """The protocol that fits all references, where it was left open; those that cannot be read are refused later."""
    if len(cases) < 2 or protocol != AUTO:
        return protocol
    limits = {}
    for files in cases:
        with suppress(Medp2pError):
            limits[files.case] = limits_of(files.read_reference())
    return protocol_called(AUTO, [*limits.values()], cases=[*limits]).name
