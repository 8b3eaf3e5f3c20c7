"""`medp2p translate`: files and folders through a Translator; what is finished is kept, what is bad stops no other."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from medp2p.errors import FileError, Medp2pError, OutputExistsError
from medp2p.io import read_volume, write_volume
from medp2p.io.atomic import check_output, sweep_stale, write_json
from medp2p.io.machine import file_error, memory_error
from medp2p.translation.jobs import Job, find_jobs, json_beside, refuse_output_folder, shard
from medp2p.translation.outputs import (
    is_intact,
    read_statement,
    refuse_foreign_json,
    same_work,
    statement,
    voxels_sha256,
)
from medp2p.translation.translator import Progress, Translator
from medp2p.volume import Volume

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
    series: str | None = None,
    keep_identity: bool = False,
    shard_of: str | None = None,
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
        series: SeriesInstanceUID, where a DICOM folder holds several.
        keep_identity: Pass the patient's identity on to a DICOM output; else it gets a pseudonym.
        shard_of: `i/n` for part i of n of a folder's cases, i from 1.
        progress: Called with done, total and what is being done.
        made: Called with the path of each image as soon as it is finished.

    Returns:
        What was made, and what was finished before.

    Raises:
        Medp2pError: The model, the input or the output cannot be used. In folders every other input is done first.
    """
    translator = Translator.load(run, device=device, precision=precision, batch_size=batch_size)
    found = find_jobs(input, output, translator.description, dicom_out=str(output).endswith(("/", "\\")))
    if found.many:
        refuse_output_folder(output)
    jobs = shard(found.jobs, shard_of)
    work = partial(_one, translator, overwrite=overwrite, series=series, keep_identity=keep_identity)
    finished: list[Path] = []
    kept: list[Path] = []
    faults = list(found.faults)
    for number, job in enumerate(jobs, 1):
        title = f"{number} of {len(jobs)}, {job.name}" if found.many else job.name
        try:
            new, old = work(job, many=found.many, progress=_titled(progress, title))
        except Medp2pError as error:
            if not found.many or error.exit_code != FileError.exit_code:
                raise
            faults.extend(error.faults)
            continue
        finished += new
        kept += old
        for path in new:
            if made:
                made(path)
    if kept:
        logger.info("%d of %d were finished before and are kept", len(kept), len(kept) + len(finished))
    if faults:
        raise FileError.several(faults)
    return Translated(tuple(finished), tuple(kept))


def _one(
    translator: Translator,
    job: Job,
    *,
    overwrite: bool,
    series: str | None,
    keep_identity: bool,
    many: bool,
    progress: Progress | None,
) -> tuple[list[Path], list[Path]]:
    """One job: the outputs that were made, and those that were finished before."""
    for output in job.outputs.values():
        _refuse_early(job, output, overwrite=overwrite, make_folder=many or len(job.outputs) > 1)
    try:
        sources = {name: read_volume(path, series=series) for name, path in job.sources.items()}
        say = partial(_say, translator, {name: volume.content_sha256() for name, volume in sources.items()})
        old = [] if overwrite else _finished(job, say)
        missing = {name: path for name, path in job.outputs.items() if path not in old}
        predicted = translator.translate_all(sources, progress=progress) if missing else {}
        for name, path in missing.items():
            _write(job, path, predicted[name], say(name, predicted[name]), overwrite=overwrite,
                   keep_identity=keep_identity, series=series)  # fmt: skip
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "allocate" in str(error) or "out of memory" in str(error):
            raise memory_error(next(iter(job.sources.values()))) from error
        raise
    return list(missing.values()), old


def _refuse_early(job: Job, output: Path, *, overwrite: bool, make_folder: bool) -> None:
    """Raise before the work is done where the result could not be written."""
    if make_folder:
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(output.parent, error, doing="made") from None
    sweep_stale(output.parent)
    if job.dicom:
        return
    check_output(output, overwrite=overwrite or read_statement(json_beside(output)) is not None)
    refuse_foreign_json(json_beside(output), overwrite=overwrite)


def _say(translator: Translator, inputs: Mapping[str, str], target: str, predicted: Volume | None) -> dict[str, Any]:
    return statement(
        target,
        translator.description,
        sha256=translator.sha256,
        description_sha256=translator.description_sha256,
        precision=translator.precision,
        device=translator.device.type,
        inputs=inputs,
        output=voxels_sha256(predicted) if predicted is not None else "",
    )


def _finished(job: Job, say: Callable[[str, Volume | None], dict[str, Any]]) -> list[Path]:
    """The outputs that are there already and fit model, input and precision.

    Raises:
        OutputExistsError: There is one that does not fit.
    """
    finished = []
    for name, output in job.outputs.items():
        if not output.exists():
            continue
        found = read_statement(json_beside(output))
        if found is None or not same_work(found, say(name, None)) or not (job.dicom or is_intact(found, output)):
            raise OutputExistsError(
                output,
                "it exists, and was not made by this model from this input in this precision",
                fix="choose another name, or ask for it with --overwrite",
            )
        finished.append(output)
    return finished


def _write(
    job: Job,
    output: Path,
    predicted: Volume,
    said: dict[str, Any],
    *,
    overwrite: bool,
    keep_identity: bool,
    series: str | None,
) -> None:
    """First what made it, then the image; if that fails, neither is left."""
    beside = json_beside(output)
    write_json(beside, said)
    try:
        if job.dicom:
            from medp2p.io.dicom_write import write_series

            write_series(
                predicted,
                next(iter(job.sources.values())),
                output,
                series=series,
                model_sha256=said["sha256"],
                hu=said["unit"] == "HU",
                keep_identity=keep_identity,
                overwrite=overwrite,
            )
        else:
            write_volume(predicted, output, overwrite=overwrite)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _titled(progress: Progress | None, title: str) -> Progress | None:
    return None if progress is None else lambda done, total, what: progress(done, total, f"{what} {title}")
