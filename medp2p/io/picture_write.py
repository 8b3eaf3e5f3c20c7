"""Volume to a picture file: PNG or TIFF, without loss, in the depth and the colours that it has."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError
from medp2p.io.atomic import atomic_file, refuse_existing, write_bytes
from medp2p.io.names import PICTURE_OUTPUTS
from medp2p.picture import bits_of, is_picture, pixels_of
from medp2p.volume import Volume

PathLike = str | os.PathLike[str]
_FORMATS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}


def write_picture(volume: Volume, path: PathLike, *, overwrite: bool = False) -> None:
    """Write one picture, whole or not at all.

    Args:
        volume: A picture; see `medp2p.picture`.
        path: Ends in .png, .tif or .tiff, in any case of letters.
        overwrite: Replace a file that is there.

    Raises:
        OutputExistsError: There is a file and `overwrite` is not given.
        FileError: The volume is no picture, the format would lose some of it, or the file cannot be written.
    """
    end = Path(path).suffix.lower()
    if end not in _FORMATS:
        raise FileError(path, "a format that would lose some of the picture", found=end,
                        expected=", ".join(PICTURE_OUTPUTS), fix="write it as PNG or TIFF")  # fmt: skip
    if not (is_picture(volume) and bits_of(volume) and volume.shape[2] in (1, 3)):
        raise FileError(path, "only a picture can be written as one", found=repr(volume),
                        expected="uint8 or uint16, 1 or 3 channels", fix="write a scan as .nii.gz")  # fmt: skip
    pixels = np.ascontiguousarray(pixels_of(volume))
    if pixels.ndim == 3 and pixels.dtype == np.uint16:
        refuse_existing(path, overwrite=overwrite)
        write_bytes(path, _deep_colour(pixels, end), overwrite=overwrite)
        return
    from PIL import Image

    with atomic_file(path, overwrite=overwrite) as file:
        Image.fromarray(pixels).save(file, _FORMATS[end])


def _deep_colour(pixels: NDArray[Any], end: str) -> bytes:
    """The file of a picture of 16-bit colours, which Pillow cannot write."""
    import SimpleITK as sitk

    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / f"picture{end}"
        sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), os.fspath(name))
        return name.read_bytes()
