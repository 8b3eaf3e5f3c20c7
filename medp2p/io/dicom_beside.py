"""Further slices beside a single DICOM file that was given: its folder may have been meant."""

import os
from bisect import bisect
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from medp2p.errors import Medp2pError
from medp2p.io.dicom_frames import Frame, read_header
from medp2p.io.names import passed_over

PathLike = str | os.PathLike[str]

_MOST_LISTED = 10_000
_MOST_READ = 64
"""Headers that are looked at, those of the nearest names first: the folder may be a whole archive."""
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
