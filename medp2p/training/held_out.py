"""`medp2p evaluate --run`: the held-out cases of a run, translated by its model and scored.

Must load torch only when work begins: a path that is wrong is refused before.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.config import Config
from medp2p.data.cases import Case, find_cases, listed_cases
from medp2p.data.splits import TEST, TRAIN, VALIDATION
from medp2p.errors import ConfigError, Fault, Medp2pError, fault
from medp2p.evaluation import Scores
from medp2p.evaluation.files import Evaluation
from medp2p.evaluation.unfinished import CaseResult, Unfinished
from medp2p.evaluation.viewer import build_viewer, require_viewer, worst_cases
from medp2p.evaluation.written import write_evaluation
from medp2p.many import each_case, is_plain_loop, worker_number
from medp2p.many.shard import shard
from medp2p.training.papers import config_with_places, read_provenance
from medp2p.translation.model_file import model_path, read_header
from medp2p.translation.progress import Progress
from medp2p.translation.safeguards import tell_unfinished_training
from medp2p.volume import Volume

if TYPE_CHECKING:
    from medp2p.translation.translator import Translator

PathLike_ = str | PathLike[str]


def evaluate_run(
    run: PathLike_,
    *,
    output: PathLike_,
    split: str = "test",
    device: str = "auto",
    precision: str = "auto",
    viewer: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    shard_of: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Translates the held-out cases of a run and scores them.

    Args:
        run: The run folder.
        output: The folder to write scores and report into; the same work unfinished there goes on.
        split: `test` or `validation`; `train` says how well it knows what it learnt.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: `auto`, `fp32` or `bf16`.
        viewer: Write viewer.html too; the worst cases are translated once more for it.
        overwrite: Replace scores that are there.
        workers: Processes on this machine, or jobs on a cluster, that share the cases; see `medp2p.many`.
        cluster: `slurm`, or the address of a dask scheduler; None is this machine.
        shard_of: `i/n` for part i of n of the cases, i from 1.
        progress: Called with done, total and what is being done.

    Returns:
        The scores, as written, and the faults of cases that were refused: call `check` on it to raise them.

    Raises:
        ConfigError: The run held out no such cases.
        Medp2pError: The run, all of its scans or the output cannot be used.
    """
    folder = Path(run)
    config = config_with_places(folder)
    of_split = tuple(find_cases(config, split=split))
    if not of_split:
        raise ConfigError.several([_no_cases(run, config, split)])
    cases = shard(of_split, shard_of)
    if not cases:
        raise ConfigError(run, "this part of the cases is empty", key="--shard", found=f"{shard_of} of {len(of_split)}",
                          fix="share them out over fewer parts")  # fmt: skip
    if viewer:
        require_viewer(pictures=config.data.pictures)
    header = read_header(model_path(folder))
    tell_unfinished_training(folder)
    said = {"sha256": header.sha256, "description_sha256": header.description_sha256, "split": split}
    unfinished = Unfinished.start(output, {**said, "precision": precision, "shard": shard_of}, overwrite=overwrite)
    alone = is_plain_loop(len(cases), workers=workers, cluster=cluster)
    work = _Work(folder, config, device, precision, unfinished, progress if alone else None)
    results: list[CaseResult] = []
    faults: list[Fault] = []
    try:
        with closing(each_case(work.begin, cases, workers=workers, cluster=cluster, name=_name)) as outcomes:
            for done, (_, outcome) in enumerate(outcomes, 1):
                if progress and not alone:
                    progress(done, len(cases), "translating and scoring")
                if isinstance(outcome, Medp2pError):
                    faults += outcome.faults
                else:
                    results += outcome
        if not results:
            raise ConfigError.several(faults or [_nothing(run, split)])
    except Medp2pError:
        unfinished.give_up()
        raise
    scores = Scores.combine([result.scores for result in results], provenance=said, refused=map(str, faults))
    shown = build_viewer(work.pairs(cases, worst_cases(scores)), scores) if viewer else None
    write_evaluation(unfinished.output, scores, [result.pictures for result in results], viewer=shown)
    unfinished.finish()
    return Evaluation(unfinished.output, scores, tuple(faults))


def _no_cases(run: PathLike_, config: Config, split: str) -> Fault:
    """That a run has no cases of a split, with those that it has."""
    known = [case.split for case in listed_cases(config)[0]]
    there = [name for name in (TEST, VALIDATION, TRAIN) if name in known]
    counts = ", ".join(f"{name} ({known.count(name)})" for name in there)
    return fault(run, "the run has no cases of this split", key="--split", found=split, expected=counts or None,
                 fix=f"write --split {there[0]}" if there else "bring the scans of the run back")  # fmt: skip


def _nothing(run: PathLike_, split: str) -> Fault:
    return fault(run, "no case could be scored", key="--split", found=split, fix="see the warnings above")


def _name(case: Case) -> str:
    return case.id


@dataclass(frozen=True)
class _Work:
    """What is done with every case; it travels to workers, where it begins by loading the model."""

    run: Path
    config: Config
    device: str
    precision: str
    unfinished: Unfinished
    progress: Progress | None

    def translator(self) -> "Translator":
        from medp2p.device import device_of_worker
        from medp2p.translation.translator import Translator

        device = device_of_worker(self.device, worker_number())
        return Translator.load(self.run, device=device, precision=self.precision)

    def pairs(self, cases: Sequence[Case], names: Sequence[str]) -> list[tuple[str, Volume, Volume]]:
        """Name, predicted and reference of some of the scored cases."""
        from medp2p.training.validation import HeldOut

        translator = self.translator()
        found = (HeldOut((), self.config).pairs_of(case, translator) for case in cases)
        return [pair for pairs in found for pair in pairs if pair[0] in names]

    def _hashes(self) -> dict[str, dict[str, str]]:
        """What the scans of the run held; masks may have become better since."""
        images = self.config.data.images
        known = read_provenance(self.run)
        return {case: {name: found[name] for name in images if name in found} for case, found in known.items()}

    def begin(self) -> Callable[[Case], list[CaseResult]]:
        from medp2p.training.validation import HeldOut

        translator = self.translator()
        held_out = HeldOut((), self.config, self._hashes())
        tell = self.progress or (lambda done, total, what: None)

        def work(case: Case) -> list[CaseResult]:
            def told(done: int, total: int, what: str) -> None:
                tell(done, total, f"{what} {case.id}")

            return held_out.results_of(case, translator, told, self.unfinished)

        return work
