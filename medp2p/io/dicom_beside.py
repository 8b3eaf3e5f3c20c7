"""DICOM files near what was given, which may be meant: slices beside a file, series or pictures in folders below."""

import os
from bisect import bisect
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from medp2p.errors import Medp2pError
from medp2p.io.dicom_frames import CLASSIC, ENHANCED, Frame, read_header
from medp2p.io.names import image_extension, image_files, passed_over, picture_extension

PathLike = str | os.PathLike[str]

MOST_FOLDERS = 8
"""That a message names."""
_MOST_LISTED = 10_000
_MOST_READ = 64
"""Headers that are looked at, those of the nearest names first: the folder may be a whole archive."""
_MOST_TRIED = 4
_SERIES = 0x0020000E


def has_further_slices(path: PathLike, slice_: Frame) -> bool:
    """Whether another image of the same series lies in the folder of a file; what cannot be read counts as none.

    Args:
        path: The file, as it was typed.
        slice_: The one picture in it.
    """
    for other in islice(_nearest_first(Path(path)), _MOST_READ):
        try:
            header = read_header(other)
        except (Medp2pError, OSError):
            continue
        if (
            header is not None
            and header.sop_class == slice_.file.sop_class
            and header.elements.word(_SERIES) == slice_.file.series
        ):
            return True
    return False


def folders_with_dicom(path: PathLike) -> list[str]:
    """The folders below a folder that directly hold DICOM images, as paths to give; those that cannot be read are none.

    Args:
        path: The folder, as it was typed.
    """
    found: list[str] = []
    for looked, (place, folders, names) in enumerate(os.walk(path)):
        folders[:] = sorted(name for name in folders if not passed_over(name))
        if looked >= _MOST_READ:
            break
        if looked and _holds_dicom(Path(place), sorted(names)):
            found.append(place)
    return found


def lies_among_images(path: PathLike) -> bool:
    """Whether a folder of image files holds DICOM images too, as one that was converted in place."""
    with os.scandir(path) as entries:
        names = sorted(
            entry.name for entry in entries
            if not (passed_over(entry.name) or entry.is_dir() or image_extension(entry.name))
            and not entry.name.lower().endswith(".json")
        )  # fmt: skip
    return _holds_dicom(Path(path), names)


def is_series_folder(path: PathLike) -> bool:
    """Whether a folder holds slices of a series, one a file, and no image files."""
    if not Path(path).is_dir() or next(image_files(path), None):
        return False
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file() and not passed_over(entry.name))
    return _holds_dicom(Path(path), names, CLASSIC)


def images_in(path: PathLike) -> str:
    """`picture` or `scan` where a folder, or one of its sub-folders, holds image files; else nothing."""
    for entry in (entry for pattern in ("*", "*/*") for entry in Path(path).glob(pattern)):
        if picture_extension(entry):
            return "picture"
        if image_extension(entry):
            return "scan"
    return ""


def _holds_dicom(folder: Path, names: list[str], kinds: Mapping[str, str] = CLASSIC | ENHANCED) -> bool:
    """Whether one of the first files of a folder is an image of such a kind."""
    for name in names[:_MOST_TRIED]:
        try:
            header = read_header(folder / name)
        except (Medp2pError, OSError):
            continue
        if header is not None and header.sop_class in kinds:
            return True
    return False


def _nearest_first(path: Path) -> Iterator[Path]:
    """The other files of a folder, those with neighbouring names first."""
    try:
        with os.scandir(path.parent) as entries:
            names = sorted(
                entry.name
                for entry in islice(entries, _MOST_LISTED)
                if not passed_over(entry.name) and entry.is_file() and entry.name != path.name
            )
    except OSError:
        return
    place = bisect(names, path.name)
    for _, name in sorted(enumerate(names), key=lambda one: abs(one[0] + 0.5 - place)):
        yield path.parent / name
