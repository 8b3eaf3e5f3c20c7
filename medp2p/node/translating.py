"""A received series to the derived series of every target; each is there whole or not at all."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from medp2p.errors import FileError, ModelError
from medp2p.io.dicom_frames import read_header
from medp2p.io.dicom_read import load_series
from medp2p.io.dicom_series import Series, find_series
from medp2p.io.dicom_write import write_series
from medp2p.node.jobs import Job
from medp2p.translation import Translator

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
_DERIVATION_CODES, _CODE, _SCHEME = 0x00089215, 0x00080100, 0x00080102


def source_of(translator: Translator) -> str:
    """The one source channel of a model.

    Raises:
        ModelError: It has several: which series is which, nobody says on the network.
    """
    names = translator.description.sources
    if translator.description.pictures:
        raise ModelError(None, "a node translates series of slices, and the model translates pictures",
                         fix="use a model of scans, or `medp2p translate` for radiographs")  # fmt: skip
    if len(names) > 1:
        raise ModelError(None, "a node translates single series, the model needs several", found=", ".join(names),
                         fix="use a model with one source")  # fmt: skip
    return names[0]


def translate_series(
    translator: Translator, job: Job, *, keep_identity: bool, progress: Progress | None = None
) -> list[Path]:
    """Make the derived series of a job, or find those that a killed node made.

    Args:
        translator: A model of one source.
        job: The received series.
        keep_identity: Pass the patient's identity on.
        progress: Called with done, total and what is being done.

    Returns:
        A folder for each target.

    Raises:
        Medp2pError: The series is refused, or the disk is full.
    """
    description = translator.description
    folders = {target: job.derived(str(index)) for index, target in enumerate(description.targets)}
    if all(folder.is_dir() for folder in folders.values()):
        return list(folders.values())
    series = find_series(job.source)
    _refuse_other_modality(translator, series)
    _refuse_synthetic(series)
    predicted = translator.translate_all({source_of(translator): load_series(series)}, progress=progress)
    for target, folder in folders.items():
        if folder.is_dir():
            shutil.rmtree(folder)  # of another process, so of another pseudonym
        write_series(predicted[target], job.source, folder, model_sha256=translator.sha256,
                     hu=description.intensity[target].hu, keep_identity=keep_identity)  # fmt: skip
    return list(folders.values())


def _refuse_other_modality(translator: Translator, series: Series) -> None:
    """A CT for a model that learnt from HU, anything else an MR: senders send what they like."""
    expected = "CT" if translator.description.intensity[source_of(translator)].hu else "MR"
    if series.modality != expected:
        raise FileError(series.path, "a series of another kind than the model translates", found=series.modality,
                        expected=expected, fix="send the right series")  # fmt: skip


def _refuse_synthetic(series: Series) -> None:
    """An archive that forwards whatever comes in would send the node its own series for ever."""
    header = read_header(series.frames[0].file.path)
    items = header.elements.items(_DERIVATION_CODES) if header else []
    if any((item.word(_CODE), item.word(_SCHEME)) == ("SYNTHETIC", "99MEDP2P") for item in items):
        raise FileError(series.path, "a synthetic series, which is not translated again",
                        fix="send acquired series; see what the archive forwards")  # fmt: skip
