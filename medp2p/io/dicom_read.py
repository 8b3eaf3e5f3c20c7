"""A DICOM series to Volume: values by rescale, slice by slice, on the grid that the positions make."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from medp2p.cores import usable_cores
from medp2p.io.dicom_frames import Frame
from medp2p.io.dicom_pixels import raw_frames, stored_numbers
from medp2p.io.dicom_series import MOST_THREADS, Progress, Series, find_series
from medp2p.volume import Volume

PathLike = str | os.PathLike[str]
logger = logging.getLogger(__name__)

_AIR_HU = -1024
"""What CT holds where the scanner says that there are no data."""


def read_series(path: PathLike, *, series: str | None = None, progress: Progress | None = None) -> Volume:
    """Read one series.

    Args:
        path: A folder with the files of the series, or one file that is a whole series.
        series: SeriesInstanceUID, where the folder holds several.
        progress: Called with (done, total, what).

    Returns:
        HU for CT, else the stored numbers with their rescale, shape (columns, rows, slices); whole numbers where
        every slope is 1. Padding is -1024 in CT and 0 elsewhere.

    Raises:
        FileError: As `find_series`, and pixels that cannot be unpacked.
        GeometryError: As `find_series`.
    """
    return load_series(find_series(path, series=series, progress=progress), progress=progress)


def load_series(series: Series, *, progress: Progress | None = None) -> Volume:
    """The voxels of a series that was found and checked.

    Raises:
        FileError: Pixels that cannot be unpacked.
    """
    columns, rows, count = series.shape
    voxels = np.empty((count, rows, columns), _dtype(series.frames))
    places = {id(frame): place for place, frame in enumerate(series.frames)}
    files = [list(group) for _, group in groupby(sorted(series.frames, key=_by_file), key=lambda frame: frame.file)]

    def load(frames: list[Frame]) -> int:
        stored = raw_frames(frames[0].file.path, frames[0].file.layout)
        for frame in frames:
            _fill(voxels[places[id(frame)]], stored[frame.index], frame)
        return len(frames)

    done = 0
    with ThreadPoolExecutor(min(MOST_THREADS, usable_cores())) as pool:
        for loaded in pool.map(load, files):
            done += loaded
            if progress is not None:
                progress(done, count, "slices")
    return Volume(_narrowed(voxels).T, series.affine)


def _by_file(frame: Frame) -> tuple[str, int]:
    return str(frame.file.path), frame.index


def _dtype(frames: tuple[Frame, ...]) -> np.dtype[np.generic]:
    """The stored type where there is no rescale; where it is whole int32, or float64 beyond it; else float32."""
    scales = {frame.rescale or (1.0, 0.0) for frame in frames}
    if scales == {(1.0, 0.0)} and len({frame.file.layout.signed for frame in frames}) == 1:
        layout = frames[0].file.layout
        return np.dtype(f"{'i' if layout.signed else 'u'}{max(frame.file.layout.allocated for frame in frames) // 8}")
    if not all(slope == 1 and intercept.is_integer() and abs(intercept) < 1 << 52 for slope, intercept in scales):
        return np.dtype(np.float32)
    return np.dtype(np.int32 if all(map(_fits_int32, frames)) else np.float64)


def _fits_int32(frame: Frame) -> bool:
    """Whether no number that a whole rescale can give is beyond int32."""
    layout, (_, intercept) = frame.file.layout, frame.rescale or (1.0, 0.0)
    lowest = intercept - (1 << layout.stored - 1 if layout.signed else 0)
    return lowest >= -(1 << 31) and lowest + (1 << layout.stored) <= 1 << 31


def _narrowed(voxels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Whole numbers in the smaller of int16 and int32 that holds them; others as they are."""
    if voxels.dtype in (np.int32, np.float64):
        for limits in (np.iinfo(np.int16), np.iinfo(np.int32)):
            if limits.min <= voxels.min() and voxels.max() <= limits.max:
                return voxels.astype(limits.dtype, copy=False)
    return voxels


def _fill(into: NDArray[np.generic], raw: NDArray[np.unsignedinteger], frame: Frame) -> None:
    layout = frame.file.layout
    stored = stored_numbers(raw, layout)
    slope, intercept = frame.rescale or (1.0, 0.0)
    if np.issubdtype(into.dtype, np.floating):
        into[...] = stored.astype(np.float64) * slope + intercept
    else:
        np.add(stored, into.dtype.type(intercept), out=into, casting="unsafe", dtype=into.dtype)
    if frame.file.padding is not None:
        low, high = frame.file.padding
        as_is = raw.view(np.dtype(f"i{raw.itemsize}")) if layout.signed else raw
        nothing = ((stored >= low) & (stored <= high)) | ((as_is >= low) & (as_is <= high))
        into[nothing] = _AIR_HU if frame.file.modality == "CT" else 0
