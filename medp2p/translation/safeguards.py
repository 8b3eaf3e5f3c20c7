"""What keeps a translation from harm: no scan is written over, and what makes a result doubtful is told aloud."""

import logging
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import numpy as np

from medp2p.body import BODY_HU
from medp2p.data.intensity import IntensityMap, Limits
from medp2p.errors import Fault, FileError, GeometryError
from medp2p.placement import describe_grid
from medp2p.translation.job import Job
from medp2p.translation.model_file import CARD_FILE, STATE_FILE
from medp2p.translation.outputs import json_beside, read_statement
from medp2p.volume import Array, Volume

logger = logging.getLogger(__name__)


def refuse_writing_over_scans(jobs: Iterable[Job], given: object, target: Path, *, overwrite: bool) -> None:
    """Raise where an output is one of the inputs, or an acquired scan of the cohort that is translated.

    Args:
        jobs: What is to be done.
        given: INPUT as typed; a folder, a file, or a file for each channel.
        target: OUTPUT as typed.
        overwrite: Whether outputs that exist are replaced. Without it, they are refused one by one, and stop no other.

    Raises:
        FileError: With every scan that would be lost.
    """
    into_itself = (
        overwrite and isinstance(given, (str, PathLike)) and Path(given).is_dir() and _same(Path(given), target)
    )
    faults: list[Fault] = []
    for job in jobs:
        sources = {_resolved(path) for path in job.sources.values()}
        for output in job.outputs.values():
            place = _resolved(output)
            if any(place == source or place in source.parents for source in sources):
                cause = "the output is the input, which would be lost"
            elif into_itself and output.exists() and read_statement(json_beside(output)) is None:
                cause = "a scan of the input has this name, and would be lost"
            else:
                continue
            faults += FileError(output, cause, key="-o", fix="choose another name or folder").faults
    if faults:
        raise FileError.several(faults)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a ring of links: reading it will say so
        return path.absolute()


def _same(first: Path, second: Path) -> bool:
    return _resolved(first) == _resolved(second)


def refuse_other_grids(scans: Mapping[str, Volume], paths: Mapping[str, Path] | None = None) -> None:
    """Raise where the channels of a scan do not lie on one grid.

    Args:
        scans: Every source by its channel's name.
        paths: The file of each, where there is one.

    Raises:
        GeometryError: With the file and both grids.
    """
    (name_of_first, first), *others = scans.items()
    for name, volume in others:
        if not volume.same_grid(first):
            raise GeometryError(
                (paths or {}).get(name),
                f"{name} lies on another grid than {name_of_first}",
                found=f"{describe_grid(volume.shape, volume.affine)}, {volume.orientation}",
                expected=f"{describe_grid(first.shape, first.affine)}, {first.orientation}",
                fix="bring the channels onto one grid, as `medp2p prepare` does",
            )


def tell_unfinished_training(run: str | PathLike[str]) -> None:
    """Say aloud that a run's training was not brought to its end: the model is the best until then."""
    folder = Path(run)
    if (folder / STATE_FILE).is_file() and not (folder / CARD_FILE).is_file():
        logger.warning(
            "%s: its training is not finished, so this is its best model until now; "
            "`medp2p train CONFIG --resume` goes on", folder,
        )  # fmt: skip


def tell_foreign_values(name: str, scan: Array, entry: IntensityMap, limits: Limits) -> None:
    """Say aloud where a scan holds nothing that the model could see, or values of another kind than it learnt from."""
    lowest, highest = float(np.min(scan)), float(np.max(scan))
    if lowest == highest:
        logger.warning("%s is constant: there is nothing to translate, the result means nothing", name)
    elif highest <= limits.low or lowest >= limits.high:
        logger.warning(
            "%s holds values from %g to %g, and the model sees those between %g and %g alone: the result means nothing",
            name, lowest, highest, limits.low, limits.high,
        )  # fmt: skip
    elif entry.hu and lowest >= BODY_HU:
        logger.warning(
            "%s holds nothing below %g, so it may not be in HU as the scans of the training were: "
            "if it is not, the result means nothing", name, lowest,
        )  # fmt: skip
    elif not entry.hu and lowest < BODY_HU:
        logger.warning(
            "%s holds values down to %g, as a CT in HU does, and the model learnt from scans without units: "
            "if it is no scan of that kind, the result means nothing", name, lowest,
        )  # fmt: skip
