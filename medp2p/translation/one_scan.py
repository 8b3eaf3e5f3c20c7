"""One scan from its files to its files: kept if finished, refused before the work, written whole or not at all."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medp2p.errors import OutputExistsError
from medp2p.io import image_extension, image_files, read_volume, write_volume
from medp2p.io.atomic import check_output, check_output_folder, sweep_stale, write_bytes, write_json
from medp2p.io.machine import file_error, memory_error, naming
from medp2p.io.names import is_written_slice
from medp2p.io.temporary import identity_of
from medp2p.io.voxel_bytes import refuse_shear
from medp2p.translation.halves import source_halves
from medp2p.translation.job import Job
from medp2p.translation.outputs import (
    is_intact,
    json_beside,
    read_statement,
    refuse_foreign_json,
    same_work,
    statement,
    voxels_sha256,
)
from medp2p.translation.progress import Progress
from medp2p.translation.safeguards import refuse_other_grids
from medp2p.volume import Volume

if TYPE_CHECKING:
    from medp2p.translation.translator import Translator


def translate_job(
    translator: "Translator",
    job: Job,
    *,
    overwrite: bool,
    series: str | None,
    keep_identity: bool,
    make_folder: bool,
    progress: Progress | None,
    half: str | None = None,
) -> tuple[list[Path], list[Path]]:
    """One scan from its files to its files.

    Args:
        translator: The model.
        job: Which files.
        overwrite: Replace outputs that exist.
        series: SeriesInstanceUID, where a DICOM folder holds several.
        keep_identity: Pass the patient's identity on to a DICOM output.
        make_folder: Make the folder of the outputs, if it is not there.
        progress: Called with slices done, slices in all and what is being done.
        half: Which half of a picture is translated; see `medp2p.translation.halves`.

    Returns:
        The outputs that were made, and those that were finished before.

    Raises:
        Medp2pError: The scan cannot be read or translated, or an output cannot be written; nothing half is left.
    """
    for output in job.outputs.values():
        if make_folder or len(job.outputs) > 1:
            _make(output.parent)
        _refuse_output(job, output, overwrite=overwrite)
    try:
        sources = {name: read_volume(path, series=series) for name, path in job.sources.items()}
        sources = source_halves(half, sources, job.sources, translator.description)
        if not translator.description.pictures:  # of which one may be grey and another one in colour
            refuse_other_grids(sources, job.sources)
        identity = ("kept" if keep_identity else "pseudonym") if job.dicom else None
        hashes = {name: volume.content_sha256() for name, volume in sources.items()}
        say = partial(_say, translator, hashes, identity)
        old = [] if overwrite else _finished(job, say)
        missing = {name: path for name, path in job.outputs.items() if path not in old}
        for path in missing.values():
            if image_extension(path) in (".mha", ".mhd", ".nrrd", ".nhdr"):
                refuse_shear(next(iter(sources.values())), path)
        with naming(next(iter(job.sources.values()))):
            predicted = translator.translate_all(sources, progress=progress) if missing else {}
        for name, path in missing.items():
            _write(job, path, predicted[name], say(name, predicted[name]), overwrite=overwrite,
                   keep_identity=keep_identity, series=series)  # fmt: skip
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "allocate" in str(error) or "out of memory" in str(error):
            raise memory_error(next(iter(job.sources.values()))) from error
        raise
    return list(missing.values()), old


def refuse_early(job: Job, *, overwrite: bool, makes_folder: bool) -> None:
    """Raise before a model is loaded where a result could not be written; nothing is made.

    Args:
        job: Which files.
        overwrite: Replace outputs that exist.
        makes_folder: Whether the folder of the outputs is going to be made, if it is not there.

    Raises:
        OutputExistsError: An output is there that no translation made.
        FileError: The folder of an output is not there, or takes no files.
    """
    for output in job.outputs.values():
        if output.parent.is_dir() or not makes_folder:
            _refuse_output(job, output, overwrite=overwrite)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(folder, error, doing="made") from None


def _refuse_output(job: Job, output: Path, *, overwrite: bool) -> None:
    """Raise before the work is done where the result could not be written."""
    sweep_stale(output.parent)
    ours = read_statement(json_beside(output)) is not None
    if not job.dicom:
        check_output(output, overwrite=overwrite or ours)
    elif overwrite or not ours:
        check_output_folder(output, overwrite=overwrite, replaces=is_written_slice)
    refuse_foreign_json(json_beside(output), overwrite=overwrite)


def _say(
    translator: "Translator", inputs: Mapping[str, str], identity: str | None, target: str, predicted: Volume | None
) -> dict[str, Any]:
    return statement(
        target,
        translator.description,
        sha256=translator.sha256,
        description_sha256=translator.description_sha256,
        precision=translator.precision,
        device=translator.device.type,
        inputs=inputs,
        output=voxels_sha256(predicted) if predicted is not None else "",
        identity=identity,
    )


def _finished(job: Job, say: Callable[[str, Volume | None], dict[str, Any]]) -> list[Path]:
    """The outputs that are there already and fit model, input and precision.

    Raises:
        OutputExistsError: There is one that does not fit.
    """
    finished = []
    for name, output in job.outputs.items():
        found, wanted = read_statement(json_beside(output)), say(name, None)
        if not output.exists() or (output.is_dir() and not any(output.iterdir())):
            same = same_work(found, wanted) and (found or {}).get("identity") == wanted.get("identity")
            if found is not None and not same and (other := _other_of_that_name(output, found)):
                raise OutputExistsError(
                    output,
                    "the JSON that would lie beside it speaks of another image of this name",
                    found=other.name,
                    fix="choose another name",
                )
            continue
        if found is None or not same_work(found, wanted):
            raise OutputExistsError(
                output,
                "it exists, and was not made by this model from this input in this precision",
                fix="choose another name, or ask for it with --overwrite",
            )
        if found.get("identity") != wanted.get("identity"):
            raise OutputExistsError(
                output,
                "the series there names its patient otherwise than is asked for",
                key="--keep-identity",
                found=found.get("identity"),
                expected=wanted.get("identity"),
                fix="choose another name, or ask for it with --overwrite",
            )
        if not is_intact(found, output):
            raise OutputExistsError(
                output,
                "it exists, and is no longer as it was made",
                fix="choose another name, or ask for it with --overwrite",
            )
        finished.append(output)
    return finished


def _other_of_that_name(output: Path, found: Mapping[str, Any]) -> Path | None:
    """What else the JSON `found` may speak of: `ct.mha`, or the series `ct/`, beside `ct.nii.gz`."""
    beside = json_beside(output)
    series = [folder for folder in (output.with_name(beside.stem),) if "identity" in found and folder.is_dir()]
    others = [path for path in image_files(output.parent) if json_beside(path) == beside]
    return next((path for path in [*others, *series] if path != output), None)


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
    """First what made it, then the image; if that fails, neither is left, or what was there before."""
    beside, image = json_beside(output), identity_of(output)
    known = read_statement(beside) is not None
    before = beside.read_bytes() if image and known else None
    unfinished = known and not image  # of a killed run: what it left of an image in two files goes
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
            write_volume(predicted, output, overwrite=overwrite or unfinished)
    except BaseException:
        now = identity_of(output)
        if now in (None, image):  # else a signal came when all was done
            with suppress(OSError):
                beside.unlink(missing_ok=True)
                if before is not None and now:
                    write_bytes(beside, before)
        raise
