"""`medp2p translate`: files and folders through a Translator; what is finished is kept, what is bad stops no other.

Must load torch only when work begins: a path that is wrong is refused before.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.errors import ConfigError, FileError, Medp2pError
from medp2p.io.atomic import sweep_stale
from medp2p.many import each_case, is_plain_loop, worker_number
from medp2p.many.shard import shard
from medp2p.translation.halves import refuse_useless_half
from medp2p.translation.job import Job, Jobs
from medp2p.translation.jobs import find_jobs, refuse_output_folder
from medp2p.translation.limits import LIMITS_FILE, put_limits_card
from medp2p.translation.model_file import model_path, read_header
from medp2p.translation.one_scan import refuse_early, translate_job
from medp2p.translation.progress import Progress
from medp2p.translation.safeguards import refuse_writing_over_scans, tell_unfinished_training

if TYPE_CHECKING:
    from medp2p.translation.translator import Translator

logger = logging.getLogger(__name__)

PathLike_ = str | PathLike[str]


@dataclass(frozen=True)
class Translated:
    """What `translate` did.

    Attributes:
        made: The images written, in the order they were.
        kept: The images that were finished before.
    """

    made: tuple[Path, ...]
    kept: tuple[Path, ...]


def translate(
    run: PathLike_,
    input: PathLike_ | Mapping[str, PathLike_],
    output: PathLike_,
    *,
    overwrite: bool = False,
    device: str = "auto",
    precision: str = "auto",
    batch_size: int | None = None,
    runtime: str = "auto",
    series: str | None = None,
    keep_identity: bool = False,
    half: str | None = None,
    shard_of: str | None = None,
    workers: int = 1,
    cluster: str | None = None,
    progress: Progress | None = None,
    made: Callable[[Path], None] | None = None,
) -> Translated:
    """Translates an image, a DICOM series, a folder of images or a cohort with the model of a run.

    Args:
        run: A run folder, or its `generator.safetensors` alone.
        input: An image file; a folder of images; a case folder; a cohort; a DICOM series; or a file for each source.
        output: Image file or folder; a DICOM folder where it ends in `/` and the input is a series.
        overwrite: Replace outputs that exist.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: `auto`, `fp32` or `bf16`.
        batch_size: Slices at once; None chooses.
        runtime: How the network is computed: `auto` or a name of `medp2p.translation.runtime.runtimes`.
        series: SeriesInstanceUID, where a DICOM folder holds several.
        keep_identity: Pass the patient's identity on to a DICOM output; else it gets a pseudonym.
        half: `left`, `right` or `whole`: what of a picture is translated, where both of a pair may lie in one.
        shard_of: `i/n` for part i of n of a folder's cases, i from 1.
        workers: Processes on this machine, or jobs on a cluster, that share a folder's cases; see `medp2p.many`.
        cluster: `slurm`, or the address of a dask scheduler; None is this machine.
        progress: Called with done, total and what is being done.
        made: Called with the path of each image as soon as it is finished.

    Returns:
        What was made, and what was finished before.

    Raises:
        Medp2pError: The model, the input or the output cannot be used. In folders every other input is done first.
    """
    description = read_header(model_path(Path(run))).description
    tell_unfinished_training(run)
    refuse_useless_half(half, description)
    if series is not None and len(description.sources) > 1:
        raise ConfigError(None, "one series for a model with several sources", key="--series",
                          expected=", ".join(description.sources),
                          fix="give each source as a folder that holds its series alone")  # fmt: skip
    found = find_jobs(input, output, description,
                      dicom_out=str(output).endswith(("/", "\\")))  # fmt: skip
    if found.many or _makes_folder(found.jobs[0], Path(output)):
        refuse_output_folder(output)
    refuse_writing_over_scans(found.jobs, input, Path(output), overwrite=overwrite)
    if not found.many:  # in folders a bad output stops no other
        refuse_early(found.jobs[0], overwrite=overwrite, makes_folder=_makes_folder(found.jobs[0], Path(output)))
    cases = tuple(enumerate(shard(found.jobs, shard_of), 1))
    alone = is_plain_loop(len(cases), workers=workers, cluster=cluster)
    work = _Work(run, Path(output), device, precision, batch_size, runtime, overwrite, series, keep_identity,
                 half, found.many, len(cases), progress if alone else None)  # fmt: skip
    finished: list[Path] = []
    kept: list[Path] = []
    faults, exit_code = list(found.faults), FileError.exit_code
    with _swept(cases), closing(each_case(work.begin, cases, workers=workers, cluster=cluster, name=_name)) as outcomes:
        for done, (_, outcome) in enumerate(outcomes, 1):
            if not alone and progress:
                progress(done, len(cases), "translating")
            if isinstance(outcome, Medp2pError):
                if not found.many:
                    raise outcome
                faults.extend(outcome.faults)
                exit_code = min(exit_code, outcome.exit_code)
                continue
            finished += outcome[0]
            kept += outcome[1]
            for path in outcome[0]:
                if made:
                    made(path)
    if finished and (card := _card_of(found, Path(output))):
        put_limits_card(run, card)
    if found.many:
        refused = (f"{len(faults)} refused",) if faults else ()
        logger.info(", ".join((f"{len(finished)} translated", f"{len(kept)} finished before and kept", *refused)))
    elif kept:
        logger.info("it was finished before and is kept")
    if faults:
        error = FileError.several(faults)
        error.exit_code = exit_code
        raise error
    return Translated(tuple(finished), tuple(kept))


def _makes_folder(job: Job, output: Path) -> bool:
    """Whether the folder of a job's outputs is made: where OUTPUT is a folder, and not the name of an image."""
    return any(path.parent == output for path in job.outputs.values())


def _card_of(found: Jobs, output: Path) -> Path | None:
    """Where the card of an output folder goes: into it, or beside one of DICOM files; None beside a single image."""
    if found.jobs[0].dicom:
        return output.with_name(f"{output.name}.{LIMITS_FILE}")
    return output / LIMITS_FILE if output.is_dir() else None


_Case = tuple[int, Job]
_Row = tuple[list[Path], list[Path]]
"""The outputs of a job that were made, and those that were finished before."""


def _name(case: _Case) -> str:
    return case[1].name


@contextmanager
def _swept(cases: Sequence[_Case]) -> Iterator[None]:
    """Afterwards nothing is left of what workers were writing when they died."""
    try:
        yield
    finally:
        for folder in {output.parent for _, job in cases for output in job.outputs.values()}:
            sweep_stale(folder)


@dataclass(frozen=True)
class _Work:
    """What is done with every job; it travels to workers, where it begins by loading the model."""

    run: PathLike_
    output: Path
    device: str
    precision: str
    batch_size: int | None
    runtime: str
    overwrite: bool
    series: str | None
    keep_identity: bool
    half: str | None
    many: bool
    count: int
    progress: Progress | None

    def begin(self) -> Callable[[_Case], _Row]:
        from medp2p.device import device_of_worker
        from medp2p.translation.translator import Translator

        device = device_of_worker(self.device, worker_number())
        translator = Translator.load(
            self.run, device=device, precision=self.precision, batch_size=self.batch_size, runtime=self.runtime
        )
        return partial(self._on, translator)

    def _on(self, translator: "Translator", case: _Case) -> _Row:
        number, job = case
        title = f"{number} of {self.count}, {job.name}" if self.many else job.name
        return translate_job(
            translator,
            job,
            overwrite=self.overwrite,
            series=self.series,
            keep_identity=self.keep_identity,
            make_folder=self.many or _makes_folder(job, self.output),
            progress=_titled(self.progress, title),
            half=self.half,
        )


def _titled(progress: Progress | None, title: str) -> Progress | None:
    return None if progress is None else lambda done, total, what: progress(done, total, f"{what} {title}")
