"""Whether the data of a configuration, and what else it asks for, are there at all, before anything heavy is loaded."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from medp2p.config.schema import Config
from medp2p.errors import Fault
from medp2p.io.names import image_files, picture_extension

PHANTOM_FILES = {"mr": "mr.nii.gz", "ct": "ct.nii.gz", "regions": "regions.nii.gz", "body": "body.nii.gz"}
"""What `medp2p phantom` writes into each case folder."""
PHANTOM_HALVES = ("photo", "label")
"""What lies side by side in the pictures that `medp2p phantom --kind pictures` writes."""


def missing_data(config: Config) -> Fault | None:
    """A fault where `data.folder` is missing or has no sub-folder, with the ways out of it; else None."""
    folder = config.data.folder
    in_folders = config.data.layout == "folders"
    if folder is None or (_has_cases(folder, pictures=config.data.pictures) if in_folders else folder.is_dir()):
        return None
    if config.data.pictures:
        return _missing_pictures(config, folder)
    typed = _as_typed(folder)
    files = dict.fromkeys(f for files in (config.data.files or {}).values() for f in files)
    expected = f"one sub-folder per case with {', '.join(files)}" if in_folders else f"layout {config.data.layout}"
    if one := _what_it_is(folder, files if in_folders else ()):
        fix = f"name the folder above: `--set data.folder={_as_typed(folder.parent)}`"
        return config.fault("data.folder", one, found=typed, expected=expected, fix=fix)
    cause = "there are no scans" if folder.is_dir() else "there is no such folder"
    layout = laid_out_otherwise(folder) if in_folders else ""
    fix = f"{_meant(folder, pictures=False)}{layout}put scans there, or name another folder with "
    fix += "`--set data.folder=DIR`"
    if all((PHANTOM_FILES.get(name),) == files for name, files in (config.data.files or {}).items()):
        fix += f", or try it on synthetic heads: `medp2p phantom {typed}`"
    return config.fault("data.folder", cause, found=typed, expected=expected, fix=fix)


def unusable_places(config: Config, *, resume: bool = False) -> list[Fault]:
    """Faults of the other places: weights to begin with that are not there, a store that can be no folder.

    Args:
        config: The configuration.
        resume: A training that goes on needs no weights to begin with.
    """
    start, store, faults = config.training.start_from, config.data.store, []
    if start is not None and not resume and not start.exists():
        fix = "name a run folder, its model file or a .pth file"
        faults.append(config.fault("training.start_from", "there is no such file or folder", found=start, fix=fix))
    if store is not None:
        there = next((place for place in (store, *store.parents) if os.path.lexists(place)), store)
        if not there.is_dir():
            cause = "the prepared slices need a folder, and a file has its name"
            faults.append(config.fault("data.store", cause, found=_as_typed(there), fix="name another"))
    return faults


def absent(config: Config, *, resume: bool = False) -> list[Fault]:
    """Everything that a configuration asks for and that is not there: data, other places, the extra of a tracker.

    Args:
        config: The configuration.
        resume: A training that goes on needs no weights to begin with.
    """
    missing, tracker = missing_data(config), config.training.tracking
    faults = [*([missing] if missing else []), *unusable_places(config, resume=resume)]
    if tracker is not None and find_spec(tracker) is None:
        fix = f"pip install 'medp2p[{tracker}]', or write null"
        faults.append(config.fault("training.tracking", f"{tracker} is not installed", fix=fix))
    return faults


def _what_it_is(folder: Path, files: Iterable[str]) -> str | None:
    """What stands in the place of the folder of cases: a file, or one case; None where neither does."""
    if folder.is_file():
        return "this is a file"
    named = [file.replace("{case}", folder.name) for file in files]
    return "this is the folder of one case" if any((folder / file).is_file() for file in named) else None


def _missing_pictures(config: Config, folder: Path) -> Fault:
    data, typed = config.data, _as_typed(folder)
    fix = f"{_meant(folder, pictures=True)}put pictures there, or name another folder with `--set data.folder=DIR`"
    if data.side_by_side == PHANTOM_HALVES:
        fix += f", or try it on synthetic ones: `medp2p phantom {typed} --kind pictures`"
    expected = (
        "pictures with both halves" if data.side_by_side else f"folders {', '.join(map(data.file_of, data.images))}"
    )
    cause = "there are no pictures" if folder.is_dir() else "there is no such folder"
    return config.fault("data.folder", cause, found=typed, expected=expected, fix=fix)


def laid_out_otherwise(folder: Path) -> str:
    """A word on the layout that a folder seems to have, where sub-folders of cases were looked for in it."""
    layout = ""
    if (folder / "dataset_description.json").is_file():
        layout = "bids"
    elif (folder / "dataset.json").is_file() and (folder / "imagesTr").is_dir():
        layout = "nnunet"
    elif folder.is_dir() and any(image_files(folder)):
        layout = "names"
    return f"write layout: {layout} below data, if that is what it is; else " if layout else ""


def _meant(folder: Path, *, pictures: bool) -> str:
    """A word on the same names below the current folder, where a configuration that was put elsewhere misses them."""
    for count in (2, 1):
        near = Path(*folder.parts[-count:])
        if not near.is_absolute() and near.absolute() != folder.absolute() and _has_cases(near, pictures=pictures):
            return f"did you mean `--set data.folder={near}`, or that folder in the file, relative to it? Else "
    return ""


def _has_cases(folder: Path, *, pictures: bool) -> bool:
    """Whether a folder has sub-folders, or pictures where these may lie in it."""
    try:
        with os.scandir(folder) as entries:
            return any(
                entry.is_dir() or (pictures and picture_extension(entry.name, radiographs=True))
                for entry in entries
                if not entry.name.startswith(".")
            )
    except (OSError, ValueError):  # the latter: letters that the locale lacks
        return False


def _as_typed(folder: Path) -> str:
    """The shorter of the path from the root and the path from the current folder."""
    try:
        relative = os.path.relpath(folder)
    except ValueError:  # another drive
        return str(folder)
    return min(relative, str(folder), key=len)
