"""Evaluation of files: cases are matched, scored one by one or by several processes, and written to one folder."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from medp2p.errors import Fault, FileError, Medp2pError
from medp2p.evaluation.case_files import CaseTask, Names, outcome_of
from medp2p.evaluation.choice import AUTO, Limits, limits_of, protocol_called
from medp2p.evaluation.matching import CaseFiles, Source, match_files
from medp2p.evaluation.scores import Scores
from medp2p.evaluation.unfinished import CaseResult, Unfinished
from medp2p.evaluation.written import write_evaluation
from medp2p.io import read_label_table, read_volume

logger = logging.getLogger(__name__)
Progress = Callable[[int, int, str], object]


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
    viewer: bool = False,
    overwrite: bool = False,
    workers: int = 1,
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
        viewer: Write viewer.html too.
        overwrite: Replace the files of an earlier evaluation in the folder, and nothing else.
        workers: Processes that score cases at the same time.
        progress: Called with the number of finished cases, of all, and the case.

    Returns:
        Scores, and the faults of cases that were refused: call `check` on it to raise them.

    Raises:
        FileError: Nothing matches, or every case was refused: then nothing is written.
        ConfigError: The protocol is unknown, or the references are partly in HU.
        OutputExistsError: The folder holds something, and `overwrite` is not given.
    """
    matched = match_files(predicted, reference, regions, body, predicted_regions=predicted_regions)
    return evaluate_cases(
        matched.cases,
        output=output,
        names=names,
        weighted=weighted,
        protocol=protocol,
        viewer=viewer,
        overwrite=overwrite,
        workers=workers,
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
    if viewer:
        from medp2p.evaluation.viewer import require_viewer

        require_viewer()
    work = _work(cases, names, weighted, protocol)
    unfinished = Unfinished.start(output, work, overwrite=overwrite)
    try:
        tasks = [CaseTask(files, names, tuple(weighted), protocol, unfinished) for files in cases]
        tasks, refused = _with_one_protocol(tasks)
        results, more = _scored(tasks, workers, progress)
        refused = [*faults, *refused, *more]
        if not results:
            raise FileError.several(refused)
    except Medp2pError:
        unfinished.give_up()
        raise
    scores = Scores.combine(
        [result.scores for result in results], provenance=provenance or {}, refused=map(str, refused)
    )
    shown = _viewer(tasks, scores) if viewer else None
    write_evaluation(unfinished.output, scores, [result.pictures for result in results], viewer=shown)
    unfinished.finish()
    return Evaluation(unfinished.output, scores, tuple(refused), tuple(warnings))


def _viewer(tasks: Sequence[CaseTask], scores: Scores) -> str:
    """The viewer of the cases with the largest errors."""
    from medp2p.evaluation.viewer import build_viewer, worst_cases

    files = {task.files.case: task.files for task in tasks}
    worst = [files[case] for case in worst_cases(scores)]
    return build_viewer([(f.case, read_volume(f.predicted), read_volume(f.reference)) for f in worst], scores)


def _work(cases: Sequence[CaseFiles], names: Names, weighted: Sequence[str], protocol: str) -> dict[str, Any]:
    """What makes two works the same one."""
    return {
        "cases": [[files.case, *(str(path.absolute()) for path in files.paths)] for files in cases],
        "names": fspath(names) if isinstance(names, str | PathLike) else [[k, v] for k, v in (names or {}).items()],
        "weighted": list(weighted),
        "protocol": protocol,
    }


def _with_one_protocol(tasks: Sequence[CaseTask]) -> tuple[list[CaseTask], list[Fault]]:
    """Tasks with the protocol that fits all references, where it was left open."""
    if len(tasks) < 2 or tasks[0].protocol != AUTO:
        return list(tasks), []
    limits: list[Limits] = []
    readable: list[CaseTask] = []
    faults: list[Fault] = []
    for task in tasks:
        try:
            limits.append(limits_of(read_volume(task.files.reference)))
            readable.append(task)
        except Medp2pError as refused:
            faults += refused.faults
    if not readable:
        return [], faults
    chosen = protocol_called(AUTO, limits).name
    return [replace(t, protocol=chosen) for t in readable], faults


def _scored(tasks: Sequence[CaseTask], workers: int, progress: Progress | None) -> tuple[list[CaseResult], list[Fault]]:
    """Results in the order of the tasks, and the faults of those that were refused."""
    found: dict[int, CaseResult] = {}
    faults: dict[int, tuple[Fault, ...]] = {}
    for done, (index, outcome) in enumerate(_outcomes(tasks, workers), start=1):
        if isinstance(outcome, Medp2pError):
            if outcome.exit_code != 2:
                raise outcome
            faults[index] = outcome.faults
        else:
            found[index] = outcome
        if progress is not None:
            progress(done, len(tasks), tasks[index].files.case)
    return [found[i] for i in sorted(found)], [fault for i in sorted(faults) for fault in faults[i]]


def _outcomes(tasks: Sequence[CaseTask], workers: int) -> Iterator[tuple[int, CaseResult | Medp2pError]]:
    if workers <= 1 or len(tasks) <= 1:
        yield from ((index, outcome_of(task)) for index, task in enumerate(tasks))
        return
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn")) as pool:
        single = [replace(t, threads=1) for t in tasks]
        waiting = {pool.submit(outcome_of, task): index for index, task in enumerate(single)}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
