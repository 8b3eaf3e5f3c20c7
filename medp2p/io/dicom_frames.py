"""Frames of DICOM images: what the header of a file says of each picture in it, classic or enhanced multi-frame."""

import hashlib
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError, GeometryError
from medp2p.io.dicom_elements import DicomHeader, Elements, read_dicom_header
from medp2p.io.dicom_pixels import PixelLayout, check_length
from medp2p.io.exact import file_size, open_regular

PathLike = str | os.PathLike[str]

CLASSIC = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
}
ENHANCED = {
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.4.3": "MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "MR",
    "1.2.840.10008.5.1.4.1.1.128.1": "PT",
    "1.2.840.10008.5.1.4.1.1.130": "PT",
}
_OTHERS = {
    "7": "secondary capture", "481.2": "dose", "481.3": "structure set", "481.5": "plan", "481.8": "plan",
    "66": "raw data", "66.1": "registration", "66.3": "registration", "66.4": "segmentation", "88": "report",
    "11": "presentation state", "104": "document",
}  # fmt: skip
"""What else scanners and planning systems export, by the end of the SOP class or the beginning of that end."""
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_SCOUTS = {"LOCALIZER", "SCOUT", "TOPOGRAM"}
_MOST_FRAMES = 100_000
_STEEPEST = 1e28
"""Of a rescale: times any number of 32 bits it is still finite in float32."""


@dataclass(frozen=True, eq=False)
class ImageFile:
    """One image object.

    Attributes:
        path: The file.
        series: SeriesInstanceUID; empty where it is blank.
        number: SeriesNumber; empty where it is none.
        sop_class: UID of its kind.
        sop_instance: UID of its own; empty where it is blank.
        modality: `CT`, `MR` or `PT`, by the kind of object.
        same: Hashes of what must be equal in a series: `patient`, `study`, `frame of reference`. Never shown.
        layout: How its pixels are stored.
        padding: Lowest and highest stored number that mean "no data", or None.
        mosaic: Whether it is several slices tiled into one picture.
        inverted: Whether low numbers are meant to be shown white (MONOCHROME1).
    """

    path: PathLike
    series: str
    number: str
    sop_class: str
    sop_instance: str
    modality: str
    same: dict[str, str]
    layout: PixelLayout
    padding: tuple[int, int] | None
    mosaic: bool
    inverted: bool


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a series.

    Attributes:
        file: The object it is in.
        index: Its number there, from 0.
        position: Centre of the first pixel, LPS, mm, shape (3,).
        orientation: Directions along a row and down a column, shape (2, 3).
        spacing: Distance of rows, then of columns, mm, shape (2,).
        thickness: Of the slice, mm; used for a single slice only; None where it is absent.
        rescale: Slope and intercept, or None.
    """

    file: ImageFile
    index: int
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing: NDArray[np.float64]
    thickness: float | None
    rescale: tuple[float, float] | None


def read_header(path: PathLike) -> DicomHeader | None:
    """The header of a file, None where it does not say that it is DICOM.

    Raises:
        FileError: It is damaged, or in a syntax that is not read.
    """
    with open_regular(path) as file:
        return read_dicom_header(path, file, os.fstat(file.fileno()).st_size)


def read_frames(path: PathLike, series: str | None = None) -> list[Frame] | str:
    """The frames of a DICOM file, or what it is instead: a word for the log.

    Args:
        path: The file.
        series: The only SeriesInstanceUID of interest: images of others are not looked at further.

    Raises:
        FileError: It is damaged, or an image of a kind that is not read.
        GeometryError: An image that does not say where it lies.
    """
    size = file_size(path)
    header = read_header(path)
    if header is None:
        return "no DICOM"
    modality = CLASSIC.get(header.sop_class) or ENHANCED.get(header.sop_class)
    if modality is None:
        return _other(header.sop_class)
    if _SCOUTS & {word.upper() for word in header.elements.words(0x00080008)}:
        return "scout"
    if series is not None and header.elements.word(0x0020000E) != series:
        return "image of another series"
    image = _image_file(path, header, modality)
    check_length(path, image.layout, size)
    if header.sop_class in ENHANCED:
        return _enhanced_frames(image, header.elements)
    if image.layout.frames != 1:
        raise FileError(path, "several frames without a place for each", found=f"{image.layout.frames} frames",
                        expected="one, or an enhanced image", fix="export one file a slice")  # fmt: skip
    return [_frame(image, 0, [header.elements])]


def _other(sop_class: str) -> str:
    """A word for an object that is no image of a series.

    Examples:
        >>> _other("1.2.840.10008.5.1.4.1.1.481.3"), _other("1.2.840.10008.5.1.4.1.1.7.4"), _other("1.2.3")
        ('structure set', 'secondary capture', 'other object')
    """
    end = sop_class.removeprefix(_STORAGE)
    return _OTHERS.get(end) or _OTHERS.get(end.split(".")[0], "other object")


def _image_file(path: PathLike, header: DicomHeader, modality: str) -> ImageFile:
    elements = header.elements
    layout = pixel_layout(path, header)
    words = {word.upper() for word in elements.words(0x00080008)}
    return ImageFile(
        path=path,
        series=elements.word(0x0020000E),
        number=_digits(elements.word(0x00200011)),
        sop_class=header.sop_class,
        sop_instance=elements.uid(0x00080018),
        modality=modality,
        same={
            "patient": _hashed(elements.raw(0x00100010), elements.raw(0x00100020)),
            "study": _hashed(elements.raw(0x0020000D)),
            "frame of reference": _hashed(elements.raw(0x00200052)),
        },
        layout=layout,
        padding=_padding(elements, layout),
        mosaic="MOSAIC" in words,
        inverted=elements.word(0x00280004) == "MONOCHROME1",
    )


def pixel_layout(path: PathLike, header: DicomHeader) -> PixelLayout:
    """How the pixels of an image are stored.

    Raises:
        FileError: It has none, or colours, or its header contradicts itself.
    """
    elements = header.elements
    if header.pixels is None:
        raise FileError(path, "an image without pixels of whole numbers", fix="export the file again")
    colours = elements.word(0x00280004)[:16]
    if colours not in ("MONOCHROME1", "MONOCHROME2") or (elements.short(0x00280002) or 1) != 1:
        raise FileError(path, "colours, where one number a pixel is needed", found=colours or "nothing",
                        expected="MONOCHROME2", fix="export the scan itself")  # fmt: skip
    rows, columns = elements.short(0x00280010) or 0, elements.short(0x00280011) or 0
    allocated, stored = elements.short(0x00280100) or 0, elements.short(0x00280101) or 0
    high = elements.short(0x00280102)
    high = stored - 1 if high is None else high
    if not (rows and columns and allocated in (8, 16, 32) and 1 <= stored <= high + 1 <= allocated):
        raise FileError(
            path,
            "the header says nothing sensible of the pixels",
            found=f"{rows} x {columns}, {stored} of {allocated} bits",
            fix="export the file again",
        )
    frames = elements.numbers(0x00280008)
    count = int(frames[0]) if frames.size else 1
    if not 1 <= count <= _MOST_FRAMES:
        raise FileError(path, "an impossible number of frames", found=count, fix="export the file again")
    signed = (elements.short(0x00280103) or 0) == 1
    big = header.coding.big
    return PixelLayout(rows, columns, count, allocated, stored, high, signed, header.syntax, big, header.pixels)


def _padding(elements: Elements, layout: PixelLayout) -> tuple[int, int] | None:
    """The stored numbers of `no data`; the second end of the range is rarely given."""
    ends = [value for tag in (0x00280120, 0x00280121) if (value := elements.short(tag)) is not None]
    if layout.signed:
        ends = [value - 0x10000 if value >= 0x8000 else value for value in ends]
    return (min(ends), max(ends)) if ends else None


def _enhanced_frames(image: ImageFile, elements: Elements) -> list[Frame]:
    shared, frames = elements.items(0x52009229), elements.items(0x52009230)
    if len(frames) != image.layout.frames:
        raise GeometryError(image.path, "frames and their places are not as many", found=len(frames),
                            expected=image.layout.frames, fix="export the series again")  # fmt: skip
    return [_frame(image, index, [frame, *shared, elements]) for index, frame in enumerate(frames)]


def _frame(image: ImageFile, index: int, groups: list[Elements]) -> Frame:
    """A frame from the data set itself, or from its functional groups, the frame's own before the shared ones."""

    def value(tag: int, sequence: int) -> NDArray[np.float64]:
        for group in groups:
            for place in (group, *group.items(sequence)):
                numbers = place.numbers(tag)
                if numbers.size:
                    return numbers
        return np.empty(0)

    _check_meaning(image, groups)
    position, orientation = value(0x00200032, 0x00209113), value(0x00200037, 0x00209116)
    spacing, thickness = value(0x00280030, 0x00289110), value(0x00180050, 0x00289110)
    slope, intercept = value(0x00281053, 0x00289145), value(0x00281052, 0x00289145)
    for numbers, count, what in (
        (position, 3, "where the slice lies (ImagePositionPatient)"),
        (orientation, 6, "how the slice lies (ImageOrientationPatient)"),
        (spacing, 2, "how large its pixels are (PixelSpacing)"),
    ):
        if numbers.size != count:
            raise GeometryError(image.path, f"the header does not say {what}", found=f"{numbers.size} numbers",
                                expected=count, fix="export the series again")  # fmt: skip
    if not (spacing > 0).all():
        raise GeometryError(image.path, "a pixel size of 0 or below", key="PixelSpacing", fix="export the series again")
    directions = orientation.reshape(2, 3)
    if not np.allclose(directions @ directions.T, np.eye(2), atol=1e-3):
        raise GeometryError(image.path, "directions that are not at right angles, or not of length 1",
                            key="ImageOrientationPatient", fix="export the series again")  # fmt: skip
    if image.modality == "CT" and not (slope.size and intercept.size):
        raise FileError(image.path, "a CT without rescale: its numbers are no HU", expected="slope and intercept",
                        fix="export the series again")  # fmt: skip
    if slope.size and slope[0] == 0:
        raise FileError(image.path, "a rescale slope of 0", fix="export the series again")
    if np.abs([*slope[:1], *intercept[:1]]).max(initial=0.0) > _STEEPEST:
        raise FileError(image.path, "a rescale beyond what 32-bit floats hold", fix="export the series again")
    if (slope.size and slope[0] != 1 and not intercept.size) or (intercept.size and intercept[0] and not slope.size):
        raise FileError(image.path, "half a rescale", found="slope" if slope.size else "intercept",
                        expected="slope and intercept", fix="export the series again")  # fmt: skip
    return Frame(
        file=image,
        index=index,
        position=position,
        orientation=directions,
        spacing=spacing,
        thickness=float(thickness[0]) if thickness.size and thickness[0] > 0 else None,
        rescale=(float(slope[0]), float(intercept[0])) if slope.size and intercept.size else None,
    )


def _check_meaning(image: ImageFile, groups: list[Elements]) -> None:
    """Raise where the numbers are not what slope and intercept make of them."""
    kinds = {place.word(0x00281054).upper() for group in groups for place in (group, *group.items(0x00289145))}
    if image.modality == "CT" and not kinds <= {"", "HU", "US"}:
        raise FileError(image.path, "a CT whose values are not in HU", found="another rescale type",
                        fix="export the CT itself")  # fmt: skip
    if any(group.items(0x00283000) for group in groups):
        raise FileError(image.path, "numbers that mean something only by a table (Modality LUT)",
                        expected="slope and intercept", fix="export the scan itself")  # fmt: skip


def _digits(text: str) -> str:
    return text if text.isdecimal() and len(text) <= 9 else ""


def _hashed(*values: bytes) -> str:
    return hashlib.sha256(b"\0".join(value.strip(b"\0 ") for value in values)).hexdigest()
