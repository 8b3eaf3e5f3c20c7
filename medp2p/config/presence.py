"""Whether the data of a configuration are there at all: the first thing to see, before anything heavy is loaded."""

import os
from pathlib import Path

from medp2p.config.schema import Config
from medp2p.errors import Fault

PHANTOM_FILES = {"mr": "mr.nii.gz", "ct": "ct.nii.gz", "regions": "regions.nii.gz", "body": "body.nii.gz"}
"""What `medp2p phantom` writes into each case folder."""


def missing_data(config: Config) -> Fault | None:
    """A fault where `data.folder` is missing or has no sub-folder, with the ways out of it; else None."""
    folder = config.data.folder
    if folder is None or _has_cases(folder):
        return None
    typed = _as_typed(folder)
    files = dict.fromkeys(f for files in (config.data.files or {}).values() for f in files)
    cause = "there are no scans" if folder.is_dir() else "there is no such folder"
    fix = "put scans there, or name another folder with `--set data.folder=DIR`"
    if all((PHANTOM_FILES.get(name),) == files for name, files in (config.data.files or {}).items()):
        fix += f", or try it on synthetic heads: `medp2p phantom {typed}`"
    expected = f"one sub-folder per case with {', '.join(files)}"
    return config.fault("data.folder", cause, found=typed, expected=expected, fix=fix)


def _has_cases(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_dir() for entry in entries if not entry.name.startswith("."))
    except (OSError, ValueError):  # the latter: letters that the locale lacks
        return False


def _as_typed(folder: Path) -> str:
    """The shorter of the path from the root and the path from the current folder."""
    try:
        relative = os.path.relpath(folder)
    except ValueError:  # another drive
        return str(folder)
    return min(relative, str(folder), key=len)
