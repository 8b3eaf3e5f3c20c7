"""One series out of a folder of DICOM files: chosen, complete, of one patient, on one grid; or refused."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medp2p.affine import CORNER_TOLERANCE_MM, corner_distance_mm
from medp2p.cores import usable_cores
from medp2p.errors import FileError, GeometryError, listed
from medp2p.io.dicom_beside import MOST_FOLDERS, folders_with_dicom, has_further_slices, images_in
from medp2p.io.dicom_elements import is_uid
from medp2p.io.dicom_frames import Frame, read_frames
from medp2p.io.dicom_stack import stacked
from medp2p.io.machine import file_error
from medp2p.io.names import passed_over
from medp2p.regions import Regions
from medp2p.volume import Volume

logger = logging.getLogger(__name__)
PathLike = str | os.PathLike[str]
Progress = Callable[[int, int, str], object]

MOST_THREADS = 8
"""That read files of one series at once: more are no faster."""
_DICOM_ENDS = (".dcm", ".ima", ".dicom", "")


@dataclass(frozen=True, eq=False)
class Series:
    """The frames of one series in the order of their places, and the grid they make.

    Attributes:
        path: The folder or file, as it was typed.
        frames: Sorted along the normal of the slices.
        affine: 4 x 4, RAS+, mm, of an array (columns, rows, slices).
    """

    path: PathLike
    frames: tuple[Frame, ...]
    affine: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows, slices."""
        layout = self.frames[0].file.layout
        return layout.columns, layout.rows, len(self.frames)

    @property
    def modality(self) -> str:
        """`CT`, `MR` or `PT`."""
        return self.frames[0].file.modality

    def refuse_other_grid(self, given: Volume | Regions) -> None:
        """Raise where something does not lie on the grid of this series.

        Raises:
            GeometryError: The shapes differ, or a corner is off.
        """
        apart = corner_distance_mm(self.shape, given.affine, self.affine)
        if given.shape == self.shape and apart <= CORNER_TOLERANCE_MM:
            return
        scan = isinstance(given, Volume)
        raise GeometryError(
            self.path,
            "the volume does not lie on the grid of this series" if scan
            else "the regions do not lie on the grid of this series",
            found=f"{given.shape}, {apart:.3g} mm apart",
            expected=self.shape,
            fix="give the series that the volume was predicted from" if scan
            else "give the series that they were drawn on",
        )  # fmt: skip


def find_series(
    path: PathLike, *, series: str | None = None, progress: Progress | None = None, again: bool = False
) -> Series:
    """Read all headers of a folder, choose the series and check it.

    Args:
        path: A folder, of which files directly in it count, or one DICOM file.
        series: SeriesInstanceUID of the one that is meant.
        progress: Called with (done, total, what).
        again: The log knows of this folder already.

    Raises:
        FileError: There is no image, a file is damaged, several series or patients, frames that do not belong together.
        GeometryError: Slices that are missing, doubled, shifted, tilted, or of other directions.
    """
    tell = logging.DEBUG if again else logging.INFO
    frames = _all_frames(path, series, progress, tell) or _all_frames(path, None, progress, tell)
    chosen = _chosen(path, frames, series)
    _check_one(path, chosen)
    if not again:
        _warn(path, chosen)
        _warn_of_single_slice(path, chosen)
    ordered, affine = stacked(path, chosen)
    return Series(path, tuple(ordered), affine)


def _all_frames(path: PathLike, series: str | None, progress: Progress | None, tell: int) -> list[Frame]:
    files = _files(path)
    found: list[Frame] = []
    others: Counter[str] = Counter()
    with ThreadPoolExecutor(min(MOST_THREADS, usable_cores())) as pool:
        for done, frames in enumerate(pool.map(partial(_read_one, series=series), files), start=1):
            if isinstance(frames, str):
                others[frames] += 1
            else:
                found.extend(frames)
            if progress is not None:
                progress(done, len(files), "headers")
    left_out = ", ".join(f"{count} x {what}" for what, count in sorted(others.items()))
    if not found and series is not None:
        return []
    if not found:
        deeper = folders_with_dicom(path)
        fix = "give the folder that directly holds the slices"
        if deeper:
            fix = f"give one of these: {listed(deeper, MOST_FOLDERS)}"
        elif kind := images_in(path):
            fix = f"give one {kind}, or a configuration that names this folder"
        raise FileError(path, "no CT or MR image here", found=left_out or "no file", fix=fix)
    if left_out:
        logger.log(tell, "left out of the DICOM files: %s", left_out)
    return found


def _read_one(path: Path, *, series: str | None) -> list[Frame] | str:
    if not path.stat().st_size and path.suffix.lower() not in _DICOM_ENDS:
        return "no DICOM"
    frames = read_frames(path, series)
    if frames == "no DICOM" and path.suffix.lower() in _DICOM_ENDS[:3]:
        raise FileError(path, "this is no DICOM file, though its name says so", fix="export or copy it again")
    return frames


def _files(path: PathLike) -> list[Path]:
    if not Path(path).is_dir():
        return [Path(path)]
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        names = [entry.name for entry in entries if entry.is_file() and not passed_over(entry.name)]
        broken = [entry.name for entry in entries if entry.is_symlink() and not os.path.exists(entry.path)]  # noqa: PTH110
    except OSError as error:
        raise file_error(path, error) from None
    if broken:
        raise FileError(
            Path(path) / broken[0], "a link to a file that is not there: the series may lack this slice",
            found=f"{len(broken)} such links", fix="bring the files to where the links lead",
        )  # fmt: skip
    return [Path(path) / name for name in names if name.upper() != "DICOMDIR"]


def _by_series(frames: Iterable[Frame]) -> dict[str, list[Frame]]:
    found: dict[str, list[Frame]] = {}
    for frame in frames:
        found.setdefault(frame.file.series, []).append(frame)
    return found


def _chosen(path: PathLike, frames: list[Frame], series: str | None) -> list[Frame]:
    found = _by_series(frames)
    listed = "; ".join(f"{_called(uid)} ({_shown(some)})" for uid, some in sorted(found.items()))
    if series is not None and series not in found:
        raise FileError(path, "no such series in this folder", found=listed, fix="give one of these with --series")
    if series is None and len(found) > 1:
        raise FileError(path, f"{len(found)} series in one folder", found=listed, expected="one",
                        fix="leave one in the folder, or choose one where there is --series UID")  # fmt: skip
    return found[series] if series is not None else next(iter(found.values()))


def _called(uid: str) -> str:
    """A UID as it is shown; what is none may be a name."""
    return (uid if is_uid(uid) else "a UID that is none") if uid else "a blank UID"


def _shown(frames: list[Frame]) -> str:
    """What tells a series from others; its description is left out, for names stand in it."""
    file = frames[0].file
    number = [f"number {file.number}"] if file.number else []
    size = f"{len(frames)} images of {file.layout.columns} x {file.layout.rows}"
    return ", ".join([file.modality, *number, size])


def _check_one(path: PathLike, frames: list[Frame]) -> None:
    for what, several in (("patient", "patients"), ("study", "studies"), ("frame of reference", "frames of reference")):
        count = len({frame.file.same[what] for frame in frames})
        if count > 1:
            raise FileError(path, f"one series with images of several {several}", found=count, expected="one",
                            fix="leave one of them in the folder")  # fmt: skip


def _warn_of_single_slice(path: PathLike, frames: list[Frame]) -> None:
    """A file is a whole scan by contract, and a slice of a series is rarely what was meant."""
    if len(frames) == 1 and not Path(path).is_dir() and has_further_slices(path, frames[0]):
        logger.warning(
            "%s is one slice of a series whose other slices lie beside it, and is taken for a whole scan; "
            "for the volume give its folder: %s", path, Path(path).parent,
        )  # fmt: skip


def _warn(path: PathLike, frames: list[Frame]) -> None:
    if any(frame.file.mosaic for frame in frames):
        logger.warning("a DICOM mosaic of slices is read as the one picture that it is; unfold it for a volume")
    if any(frame.file.inverted for frame in frames):
        logger.warning(
            "%s: MONOCHROME1: numbers are kept as stored, although low ones are meant to be shown white", path
        )
