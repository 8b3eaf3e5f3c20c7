"""Cases that lie in a folder, one sub-folder each; files are recognised by their names alone."""

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medp2p.config import Config, missing_data
from medp2p.config.presence import laid_out_otherwise
from medp2p.config.section import case_id, check_word
from medp2p.data.layouts import LAYOUTS
from medp2p.data.layouts.bids import suffixes_of
from medp2p.errors import Fault, FileError, fault
from medp2p.io import image_files, image_stem, sub_folders

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundCase:
    """What of one case lies in the folder: the file of each image, its label maps, its mask of the body.

    The patient and the split are known where the layout says them.
    """

    id: str
    files: Mapping[str, Path]
    regions: tuple[Path, ...]
    body: Path | None
    patient: str | None = None
    split: str | None = None


def find_in_folder(config: Config) -> tuple[list[FoundCase], list[Fault]]:
    """The cases of `data.folder` in the order of their names, and everything that is wrong with them.

    Sub-folders with none of the files are passed over and named in the log; names that begin with a dot never count.

    Raises:
        FileError: The folder cannot be read.
    """
    absent, folder = missing_data(config), config.data.folder
    if absent is not None or folder is None:
        return [], [absent or config.fault("data.folder", "no folder of cases", fix="name one, or list data.cases")]
    if config.data.layout != "folders":
        return _found_by_layout(folder, config)
    cases: list[FoundCase] = []
    faults: list[Fault] = []
    passed_over: list[str] = []
    for sub_folder in sub_folders(folder):
        case, wrong = _found_in(sub_folder, config)
        faults += wrong
        if case is not None:
            cases.append(case)
        elif not wrong:
            passed_over.append(sub_folder.name)
    if passed_over:
        log.warning("passed over, with none of the files of a case: %s", ", ".join(passed_over))
    if not cases and not faults:
        names = ", ".join(config.data.file_of(channel) for channel in config.data.channels)
        faults.append(
            config.fault(
                "data.folder",
                "no case is in the folder",
                found=f"{len(passed_over)} sub-folders without one of the files",
                expected=f"one sub-folder per case, each with {names}",
                fix=f"{laid_out_otherwise(folder)}put scans there, name another folder with `--set data.folder=DIR`, "
                "or correct data.files",
            )
        )
    return cases, faults


def _found_by_layout(folder: Path, config: Config) -> tuple[list[FoundCase], list[Fault]]:
    """The whole cases of a cohort that is laid out otherwise; in BIDS, subjects that lack a scan are usual."""
    data = config.data
    found, faults = LAYOUTS[data.layout](folder, data.channels, data.files or {})
    whole = [case for case in found if set(data.channels) <= set(case.files)]
    lacking = {case.id: [name for name in data.channels if name not in case.files] for case in found}
    lacking = {case: names for case, names in lacking.items() if names}
    told = ", ".join(f"{case} ({', '.join(names)})" for case, names in lacking.items())
    if lacking and data.layout == "bids":
        log.warning("passed over, as scans are lacking: %s", told)
    elif lacking:
        faults.append(fault(folder, "cases lack a scan", found=told, fix="add the scans, or take the cases away"))
    if not whole and not faults:
        fix = "name another folder with `--set data.folder=DIR`, or correct data.layout or data.files"
        names = ", ".join(data.file_of(channel) for channel in data.channels)
        if data.layout == "bids":
            names = ", ".join(f"sub-…_{suffix}" for suffix in suffixes_of(data.channels, data.files or {}))
            fix += ", where a channel may have another suffix, as {mr: T1w}"
        cause = f"no case is in the folder, read as {data.layout}"
        faults.append(config.fault("data.folder", cause, found=told or None, expected=names, fix=fix))
    return [FoundCase(case.id, case.files, case.regions, case.body, case.patient) for case in whole], faults


def channel_file(folder: Path, name: str) -> Path | None:
    """The file in a case folder that a name means: that very file, else the one image that is called so.

    An image is known by its name without extension, and an extension may be written in any case.

    Args:
        folder: The folder of a case.
        name: As in `data.files`, `{case}` filled in; it may lead into a sub-folder.

    Returns:
        Its path, or None where there is none.

    Raises:
        FileError: Two images are called so; both are named. Or the folder cannot be read.
    """
    exact = folder / name
    if os.path.lexists(exact):
        return exact
    if not exact.parent.is_dir():
        return None
    called_so = [path for path in image_files(exact.parent) if image_stem(path) == image_stem(exact)]
    if len(called_so) > 1:
        raise FileError(
            called_so[0],
            "two files of one name",
            found=called_so[1],
            expected=name,
            fix="remove one, or name it exactly",
        )
    return called_so[0] if called_so else None


def _found_in(folder: Path, config: Config) -> tuple[FoundCase | None, list[Fault]]:
    """The case in a sub-folder; neither a case nor a fault where none of its files is there."""
    found: dict[str, Path] = {}
    faults: list[Fault] = []
    missing: list[Fault] = []
    for role, pattern in _roles(config).items():
        name = pattern.replace("{case}", folder.name)
        try:
            path = channel_file(folder, name)
        except FileError as error:
            faults += error.faults
            continue
        if path is not None:
            found[role] = path
        elif role in config.data.channels:
            missing.append(
                fault(folder, f"the case has no {role}", expected=name, fix="add the file, or take the folder away")
            )
    if not found and not faults:
        return None, []
    faults += [*missing, *_unusable_name(folder)]
    files = {channel: found[channel] for channel in config.data.channels if channel in found}
    regions = tuple(path for role, path in found.items() if role.startswith("regions "))
    return FoundCase(folder.name, files, regions, found.get("body")), faults


def _roles(config: Config) -> dict[str, str]:
    """The file name of each channel, of each label map as `regions 0`, `regions 1` …, and of the body."""
    data = config.data
    channels = {channel: data.file_of(channel) for channel in data.channels}
    regions = {f"regions {number}": name for number, name in enumerate(data.region_files)}
    return channels | regions | ({"body": data.body_file} if data.body_file else {})


def _unusable_name(folder: Path) -> Iterator[Fault]:
    if check_word(case_id, folder.name):
        yield fault(
            folder,
            "the name of the folder cannot be a case id",
            expected="up to 64 letters, digits, `.`, `_` and `-`, no dot first, no `..`",
            fix="rename it: results are named after it",
        )
