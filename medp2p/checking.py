"""`medp2p check`: what is wrong with a configuration, a scan, a model or a run, found before work is lost."""

import json
import logging
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.errors import ConfigError, Fault, FileError, ModelError, tried

if TYPE_CHECKING:
    from medp2p.config import Config

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
CONFIGURATIONS = (".yaml", ".yml", ".json")
MODELS = (".safetensors",)


def check(
    target: str | PathLike[str],
    *,
    set: Sequence[str] = (),
    series: str | None = None,
    progress: Progress | None = None,
) -> list[Fault]:
    """All faults of a target, none if it is sound; nothing is written, warnings go to the log.

    Args:
        target: A configuration (then every case is read), an image or DICOM series, a model file or a run folder.
        set: `a.b=VALUE` for each key of a configuration to replace.
        series: SeriesInstanceUID, where a DICOM folder holds several.
        progress: Called with how many cases are looked at, how many there are, and which.

    Raises:
        Medp2pError: The machine failed (exit code 1); whatever is wrong with the target is returned, not raised.

    Examples:
        >>> print(*check("nowhere.nii.gz"))
        nowhere.nii.gz: there is no such file or folder. Fix: check the path as typed
    """
    logger.debug("%s", _build())
    refused: list[Fault] = []
    found = tried(refused, lambda: list(_faults(Path(target), set, series, progress)))
    return refused if found is None else found


def _build() -> str:
    """Which builds are at work, without loading them."""
    found = [f"Python {platform.python_version()}"]
    for package in ("medp2p", "torch", "monai", "numpy", "SimpleITK", "pydicom"):
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)


def is_run_folder(path: Path) -> bool:
    """Whether a folder is what `medp2p train` or `medp2p import` makes."""
    return any((path / name).is_file() for name in ("generator.safetensors", "last.pt", "config.yaml"))


def _faults(target: Path, replaced: Sequence[str], series: str | None, progress: Progress | None) -> Iterator[Fault]:
    if not target.exists():
        raise FileError(target, "there is no such file or folder", fix="check the path as typed")
    if target.suffix.lower() in CONFIGURATIONS and not target.is_dir():
        return _configuration(target, replaced, progress)
    if replaced:
        raise ConfigError("--set", "only a configuration has keys", found=str(target), fix="leave --set out")
    if target.is_dir() and is_run_folder(target):
        return _run(target)
    if target.suffix.lower() in MODELS:
        return _all(_model, target)
    return _all(partial(_scan, series=series), target)


def _all(look: Callable[[Path], None], target: Path) -> Iterator[Fault]:
    """The faults that looking at a target raises."""
    refused: list[Fault] = []
    tried(refused, look, target)
    yield from refused


def _configuration(path: Path, replaced: Sequence[str], progress: Progress | None) -> Iterator[Fault]:
    from medp2p.config import absent, load_config, missing_data

    config = load_config(path, replaced)
    yield from absent(config)
    missing, faults = missing_data(config), []
    if not missing:
        from medp2p.data.cohort import check_cohort

        found = check_cohort(config, progress=progress)
        for warning in found.warnings:
            logger.warning("%s", warning)
        yield from (faults := list(found.faults))
    start = config.training.start_from
    unseen = config.data.pictures and (missing or faults)  # their colours are channels of the networks
    if start is not None and start.exists() and not unseen:
        yield from _all(partial(_first_weights, config), start)


def _first_weights(config: "Config", place: Path) -> None:
    """Puts the weights to begin with into networks as the training builds them, and lets these go."""
    from medp2p.data.picture_cases import with_seen_pictures
    from medp2p.training.building import build_networks
    from medp2p.training.start import start_from

    start_from(place, *build_networks(with_seen_pictures(config)))


def _scan(path: Path, *, series: str | None) -> None:
    from medp2p.io import read_volume

    volume = read_volume(path, series=series)
    if volume.voxels.min() == volume.voxels.max():
        logger.warning("%s: every voxel has the same value, %s", path, volume.voxels.flat[0])


def _model(path: Path) -> None:
    from medp2p.translation.generator import build_network
    from medp2p.translation.model_file import model_path, read_header, read_weights

    file = model_path(path)
    header = read_header(file)
    read_weights(file, header, build_network(header.description).state_dict())


def _run(folder: Path) -> Iterator[Fault]:
    """The model, and whatever else of a run is in the folder."""
    yield from _all(_model, folder)
    for name, look in (
        ("config.yaml", _run_configuration),
        ("data.yaml", _places),
        ("provenance.json", _json),
        ("last.pt", _state),
    ):
        if (folder / name).is_file():
            yield from _all(look, folder / name)
    for path in sorted((folder / "validation").glob("*.json")):
        yield from _all(_json, path)


def _run_configuration(path: Path) -> None:
    from medp2p.config import load_config

    load_config(path, places=False)


def _places(path: Path) -> None:
    from medp2p.training.papers import read_places

    read_places(path.parent)


def _state(path: Path) -> None:
    from medp2p.training.checkpoint import load_checkpoint

    load_checkpoint(path)


def _json(path: Path) -> None:
    try:
        json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, ValueError, RecursionError):
        raise ModelError(path, "no JSON that can be read", fix="bring it back from where it was written") from None


def _refuse(word: str) -> None:
    raise ValueError(word)
