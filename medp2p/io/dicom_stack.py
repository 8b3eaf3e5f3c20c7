"""Frames to a stack: their order along the normal, and the one even grid at right angles that they make; or refused."""

import os
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import GeometryError
from medp2p.io.dicom_frames import Frame
from medp2p.io.text_header import lps_affine

PathLike = str | os.PathLike[str]

_TOLERANCE_MM = 1e-3
_TOLERANCE_SHARE = 0.01
_COSINE_TOLERANCE = 1e-4


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
