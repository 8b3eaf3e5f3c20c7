"""The scans of patients as they lie in a folder: which files belong to which case; no image is read here."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from medp2p.config.section import case_id, channel_name, check_word
from medp2p.errors import Fault, FileError, fault, listed
from medp2p.io import list_images, passed_over, sub_folders
from medp2p.io.dicom_beside import MOST_FOLDERS, folders_with_dicom
from medp2p.io.machine import file_error

logger = logging.getLogger(__name__)
BODY, REGIONS = "body", "regions"
_EXPECTED = "one sub-folder per case; in it each channel as an image file of its name, or as a folder with one series"


@dataclass(frozen=True)
class RawCase:
    """The files of one case.

    Attributes:
        id: The name of its folder.
        channels: An image file or a DICOM folder for each channel, in the order of their names.
        body: Its mask of the body.
        regions: Its label map.
    """

    id: str
    channels: Mapping[str, Path]
    body: Path | None = None
    regions: Path | None = None


def find_raw_cases(raw: str | PathLike[str]) -> tuple[list[RawCase], list[Fault]]:
    """The cases of a folder in the order of their names, and what is wrong with others, which stops none.

    Raises:
        FileError: The folder is not there, or holds no case.
    """
    folder = Path(raw)
    if not folder.is_dir():
        raise FileError(raw, "no such folder", expected=_EXPECTED, fix="check the path")
    cases, faults, bare = [], [], []
    for sub_folder in sub_folders(folder):
        try:
            case, wrong = _case_in(sub_folder)
        except FileError as error:
            case, wrong = None, list(error.faults)
        faults += wrong
        if case is not None:
            cases.append(case)
        elif not wrong:
            bare.append(sub_folder.name)
    if bare:
        logger.warning("passed over, as they hold no scan: %s", ", ".join(bare))
    if not cases and not faults:
        images, _ = list_images(folder)
        found = "image files beside each other" if images else "no scan"
        raise FileError(raw, "no case in this folder", found=found, expected=_EXPECTED, fix="sort the scans that way")
    _tell_what_lacks_channels(cases)
    return cases, faults


def _case_in(folder: Path) -> tuple[RawCase | None, list[Fault]]:
    """The case in a folder; neither a case nor a fault where nothing in it is a scan."""
    files, faults = list_images(folder)
    scans: dict[str, Path] = dict(files)
    for sub_folder in sub_folders(folder):
        if not _holds_files(sub_folder):
            deeper = folders_with_dicom(sub_folder)
            if deeper:
                fix = f"let {sub_folder.name} be the folder that directly holds the slices"
                faults.append(
                    fault(sub_folder, "no scan directly in this folder", found=listed(deeper, MOST_FOLDERS), fix=fix)
                )
            continue
        if sub_folder.name in scans:
            both = f"{scans[sub_folder.name].name} and the folder {sub_folder.name}"
            faults.append(fault(folder, "two scans of one name", found=both, fix="keep one of them"))
        scans[sub_folder.name] = sub_folder
    if not scans and not faults:
        return None, []
    if check_word(case_id, folder.name):
        fix = "use up to 64 letters, digits, `.`, `_` and `-`, no dot first: files are named after it"
        faults.append(fault(folder, "the name of the folder cannot be a case id", fix=fix))
    body, regions = scans.pop(BODY, None), scans.pop(REGIONS, None)
    faults += _wrong_names(scans)
    if not scans and not faults:
        faults.append(fault(folder, "the case holds no scan", found="masks alone", fix="add its scans"))
    case = None if faults else RawCase(folder.name, dict(sorted(scans.items())), body, regions)
    return case, faults


def _holds_files(folder: Path) -> bool:
    """Whether there is a file in a folder, as there is in one with a DICOM series."""
    try:
        return any(entry.is_file() and not passed_over(entry.name) for entry in folder.iterdir())
    except OSError as error:
        raise file_error(folder, error) from None


def _wrong_names(scans: Mapping[str, Path]) -> Iterator[Fault]:
    for name, path in scans.items():
        cause = check_word(channel_name, name)
        if cause:
            yield fault(
                path, cause, fix="rename it: files are named after it. Letters, digits, `.`, `_` and `-` may do"
            )


def _tell_what_lacks_channels(cases: list[RawCase]) -> None:
    every = {channel for case in cases for channel in case.channels}
    for channel in sorted(every):
        lacking = [case.id for case in cases if channel not in case.channels]
        if lacking:
            logger.warning("no %s in %s", channel, ", ".join(lacking))
