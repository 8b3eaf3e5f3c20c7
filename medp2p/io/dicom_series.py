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
from medp2p.io.dicom_beside import folders_with_dicom, has_further_slices
from medp2p.io.dicom_frames import Frame, read_frames
from medp2p.io.machine import file_error
from medp2p.io.names import passed_over, picture_extension
from medp2p.io.text_header import lps_affine
from medp2p.regions import Regions
from medp2p.volume import Volume

logger = logging.getLogger(__name__)
PathLike = str | os.PathLike[str]
Progress = Callable[[int, int, str], object]

MOST_THREADS = 8
"""That read files of one series at once: more are no faster."""
_TOLERANCE_MM = 1e-3
_TOLERANCE_SHARE = 0.01
_COSINE_TOLERANCE = 1e-4
_MOST_FOLDERS = 8
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


def stacked(path: PathLike, frames: list[Frame]) -> tuple[list[Frame], NDArray[np.float64]]:
    """The frames in the order of their places, and the affine (RAS+) of the array they make.

    Raises:
        GeometryError: They make no even stack at right angles.
    """
    _check_directions(frames)
    first = frames[0]
    normal = np.cross(*first.orientation)
    heights = np.array([frame.position @ normal for frame in frames])
    order = np.argsort(heights, kind="stable")
    ordered, heights = [frames[index] for index in order], heights[order]
    if len(ordered) == 1:
        if first.thickness is None:
            raise GeometryError(path, "a single slice that does not say how thick it is", fix="give the whole series")
        step = normal * first.thickness
    else:
        step = _step(path, ordered, heights, normal)
    columns = np.column_stack([first.orientation[0] * first.spacing[1], first.orientation[1] * first.spacing[0], step])
    return ordered, lps_affine(path, columns, ordered[0].position)


def _step(
    path: PathLike, ordered: list[Frame], heights: NDArray[np.float64], normal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far it is from one slice to the next, from the positions alone."""
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    tolerance = max(_TOLERANCE_MM, _TOLERANCE_SHARE * usual)
    doubled = int((gaps <= _TOLERANCE_MM).sum())
    if doubled:
        instances = [(frame.file.sop_instance, frame.index) for frame in ordered if frame.file.sop_instance]
        copies = len(instances) > len(set(instances))
        fix = "take the copies of files away" if copies else "leave one contrast, echo or time point in the folder"
        raise GeometryError(path, "several images at one place", found=f"{doubled} too many", expected="one a place",
                            fix=fix)  # fmt: skip
    wide = np.flatnonzero(np.abs(gaps - usual) > tolerance)
    if wide.size:
        raise GeometryError(
            path,
            "the slices are not evenly spaced: one is missing or shifted",
            found=f"{gaps[wide[0]]:.4g} mm after slice {wide[0] + 1} of {len(ordered)}",
            expected=f"{usual:.4g} mm",
            fix="export the complete series",
        )
    positions = np.array([frame.position for frame in ordered])
    step = (positions[-1] - positions[0]) / (len(ordered) - 1)
    aside = step - (step @ normal) * normal
    if float(np.linalg.norm(aside)) > max(_COSINE_TOLERANCE * usual, _TOLERANCE_MM / len(ordered)):
        angle = np.degrees(np.arctan2(np.linalg.norm(aside), usual))
        raise GeometryError(
            path,
            "the slices are shifted against each other, as under a tilted gantry",
            found=f"{angle:.2f} degrees",
            expected="a stack at right angles",
            fix="correct the tilt with a DICOM tool that resamples, then give the result",
        )
    off = np.linalg.norm(positions - positions[0] - np.outer(np.arange(len(ordered)), step), axis=1)
    if float(off.max()) > tolerance:
        bad = ordered[int(off.argmax())]
        raise GeometryError(bad.file.path, "a slice is shifted against the others", found=f"{off.max():.4g} mm",
                            expected=f"at most {tolerance:.4g} mm", fix="export the complete series")  # fmt: skip
    return np.asarray(step, np.float64)


def _check_directions(frames: list[Frame]) -> None:
    """One orientation, size and pixel size; the odd one is named by its file."""
    for what, cause in (
        (lambda frame: frame.file.modality, "another modality"),
        (lambda frame: tuple(np.round(frame.orientation.ravel(), 4) + 0.0), "another orientation"),
        (lambda frame: (frame.file.layout.rows, frame.file.layout.columns), "another number of rows or columns"),
        (lambda frame: tuple(np.round(frame.spacing, 4)), "another pixel size"),
        (lambda frame: frame.rescale is None, "no rescale, where others have one, or the reverse"),
        (lambda frame: frame.file.layout.signed, "another sign of its numbers"),
        (lambda frame: frame.file.layout.high_bit - frame.file.layout.stored, "another place of its bits"),
    ):
        kinds = Counter(what(frame) for frame in frames)
        if len(kinds) > 1 and not _close(list(kinds)):
            usual = kinds.most_common(1)[0][0]
            odd = next(frame for frame in frames if what(frame) != usual)
            raise GeometryError(odd.file.path, f"a slice with {cause} than the rest of the series",
                                fix="take it out of the folder, or export the series again")  # fmt: skip


def _close(kinds: list[object]) -> bool:
    """Whether the rounded numbers of all frames are the same within what rounding does."""
    values = np.array(kinds)
    return values.dtype.kind == "f" and bool((np.ptp(values, axis=0) <= 1.5e-4).all())


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
            fix = f"give one of these: {listed(deeper, _MOST_FOLDERS)}"
        elif _has_pictures(path):
            fix = "give one picture, or a configuration that names this folder"
        raise FileError(path, "no CT or MR image here", found=left_out or "no file", fix=fix)
    if left_out:
        logger.log(tell, "left out of the DICOM files: %s", left_out)
    return found


def _has_pictures(path: PathLike) -> bool:
    """Whether a folder holds pictures, or sub-folders as `train` and `test` do."""
    found = (entry for pattern in ("*", "*/*") for entry in Path(path).glob(pattern))
    return any(picture_extension(entry) for entry in found)


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
    listed = "; ".join(f"{uid or 'a blank UID'} ({_shown(some)})" for uid, some in sorted(found.items()))
    if series is not None and series not in found:
        raise FileError(path, "no such series in this folder", found=listed, fix="give one of these with --series")
    if series is None and len(found) > 1:
        raise FileError(path, f"{len(found)} series in one folder", found=listed, expected="one",
                        fix="choose one with --series UID, or leave one in the folder")  # fmt: skip
    return found[series] if series is not None else next(iter(found.values()))


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
