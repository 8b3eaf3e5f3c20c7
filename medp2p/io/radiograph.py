"""A radiograph in DICOM to a picture: the stored numbers of its one frame, low ones dark."""

import os

import numpy as np

from medp2p.errors import FileError
from medp2p.io.dicom_frames import pixel_layout, read_header
from medp2p.io.dicom_pixels import check_length, raw_frames, stored_numbers
from medp2p.io.exact import file_size
from medp2p.io.picture_read import MOST_PIXELS
from medp2p.picture import picture
from medp2p.volume import Volume

PathLike = str | os.PathLike[str]

RADIOGRAPHS = ("1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.7")
"""The kinds of object, with those whose UID goes on after a dot: computed and digital radiography, mammography,
intra-oral; secondary capture, as which many of them are exported."""
_DEPTHS = {8: np.uint8, 16: np.uint16}


def is_radiograph(path: PathLike) -> bool:
    """Whether a DICOM file is an image without a place in the patient."""
    header = read_header(path)
    return header is not None and any(
        header.sop_class == kind or header.sop_class.startswith(f"{kind}.") for kind in RADIOGRAPHS
    )


def read_radiograph(path: PathLike) -> Volume:
    """Read one radiograph.

    Returns:
        The stored numbers, uint8 or uint16, shape (columns, rows, 1); where the file means low numbers to be white
        (MONOCHROME1) they are turned round, so that bone is bright in every picture.

    Raises:
        FileError: It is cut or damaged, in colour, has several frames, or numbers that no picture can hold.
    """
    header = read_header(path)
    if header is None:
        raise FileError(path, "this is no DICOM file", fix="give a radiograph")
    layout = pixel_layout(path, header)
    check_length(path, layout, file_size(path))
    if layout.frames != 1:
        raise FileError(path, "several frames in one radiograph", found=layout.frames, expected="one",
                        fix="export them one by one")  # fmt: skip
    if layout.rows * layout.columns > MOST_PIXELS or layout.allocated not in _DEPTHS:
        size = f"{layout.columns} x {layout.rows}, {layout.allocated} bits"
        raise FileError(path, "a radiograph of an absurd size or depth", found=size, expected="8 or 16 bits",
                        fix="export it again")  # fmt: skip
    scale = [header.elements.numbers(tag) for tag in (0x00281053, 0x00281052)]
    if [float(each[0]) for each in scale if each.size] not in ([], [1.0, 0.0]):
        raise FileError(path, "a radiograph whose numbers are rescaled", expected="slope 1, intercept 0",
                        fix="export it for presentation, or convert it to PNG")  # fmt: skip
    numbers = stored_numbers(raw_frames(path, layout)[0], layout)
    if layout.signed and numbers.min() < 0:
        raise FileError(path, "a radiograph with negative numbers", found=int(numbers.min()), expected="0 or more",
                        fix="export it for presentation, or convert it to PNG")  # fmt: skip
    pixels = numbers.astype(_DEPTHS[layout.allocated])
    if header.elements.word(0x00280004) == "MONOCHROME1":
        pixels = ((1 << layout.stored) - 1 - pixels.astype(np.int32)).astype(pixels.dtype)
    return picture(pixels)
