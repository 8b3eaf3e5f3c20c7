"""Pictures to Volume: PNG, TIFF and JPEG with the colours and the depth that they have, or refused by name.

It must never take memory for more than a picture of `MOST_PIXELS`, nor for more than its file can hold.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import FileError, Medp2pError
from medp2p.io.exact import check_ratio, open_regular
from medp2p.io.machine import file_error, memory_error
from medp2p.picture import PictureForm, picture
from medp2p.volume import Volume

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PathLike = str | os.PathLike[str]

MOST_PIXELS = 100_000_000
"""More than cameras and detectors have; the limit above which Pillow, too, speaks of a bomb is 89 million."""
_PNG, _JPEG, _TIFF = b"\x89PNG", b"\xff\xd8\xff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION, _PHOTOMETRIC, _BITS, _PLANAR = 274, 262, 258, 284
_GREY, _COLOUR = ("1", "L", "I;16", "I;16B", "I;16L", "I;16N"), ("RGB", "P")
_ALPHA = ("LA", "PA", "RGBA", "La", "RGBa")
_UPRIGHT = 1


def read_picture(path: PathLike) -> Volume:
    """Read one picture.

    Grey of 1, 2 or 4 bits becomes 8 bits, a palette its colours; an orientation that a camera noted is applied, and
    transparency that hides nothing is left out.

    Args:
        path: PNG, TIFF or JPEG, known by its first bytes.

    Returns:
        uint8 or uint16, shape (W, H, 1) or, in colour, (W, H, 3); see `medp2p.picture`.

    Raises:
        FileError: The file is missing, cut, damaged or absurdly large, or a picture of another kind: CMYK, visible
            transparency, several pictures in one, or values that are not 8 or 16 bits.
    """
    with _opened(path) as image:
        form = _form(path, image)
        if form == PictureForm(3, 16):
            return picture(_deep_colour(path, image))
        return picture(_pixels(path, image))


def read_label_picture(path: PathLike) -> Volume:
    """Read the labels of a picture: grey values, or the numbers of a palette's colours; shape (W, H, 1).

    Raises:
        FileError: As `read_picture`, and a picture in colour.
    """
    with _opened(path) as image:
        if image.mode == "P":
            return picture(_pixels(path, image, palette=False))
        form = _form(path, image)
        if form.channels != 1:
            raise FileError(
                path,
                "a picture in colour, where labels are needed",
                found=form,
                expected="one number a pixel, or a palette",
                fix="save the labels as a grey picture",
            )
        return picture(_pixels(path, image))


def picture_form(path: PathLike) -> PictureForm:
    """What a picture is, from its header alone.

    Raises:
        FileError: As `read_picture`, as far as the header shows it.
    """
    with _opened(path) as image:
        return _form(path, image)


@contextmanager
def _opened(path: PathLike) -> Iterator["ImageFile"]:
    """The picture behind a path with its header read and its size found possible; what goes wrong is said in our words.

    The plug-ins of Pillow are called by name: `Image.open` would try every format that a file may pretend to be, and
    warn where we refuse.
    """
    try:
        with open_regular(path) as raw, BufferedReader(raw) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that say nothing of the pixels
            warnings.filterwarnings("error", ".*larger than file")
            start = file.peek(4)[:4]
            with _plugin(path, start)(file) as image:
                _check_size(path, image, os.fstat(raw.fileno()).st_size)
                yield image
    except Medp2pError:
        raise
    except MemoryError:
        raise memory_error(path) from None
    except OSError as error:
        raise (file_error(path, error) if error.errno else _damaged(path, error)) from None
    except Exception as error:  # whatever the bytes of a damaged picture make of Pillow
        raise _damaged(path, error) from None


def _plugin(path: PathLike, start: bytes) -> Any:
    from PIL import JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    if start == _PNG:
        return PngImagePlugin.PngImageFile
    if start[:3] == _JPEG:
        return JpegImagePlugin.JpegImageFile
    if start in _TIFF:
        return TiffImagePlugin.TiffImageFile
    raise FileError(path, "this is no PNG, TIFF or JPEG, whatever its name says", found=f"bytes {start.hex(' ')}",
                    fix="save it as PNG or TIFF")  # fmt: skip


def _damaged(path: PathLike, error: Exception) -> FileError:
    said = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
    return FileError(path, "the picture is cut or damaged", found=said, fix="copy or download the file again")


def _check_size(path: PathLike, image: "ImageFile", file_bytes: int) -> None:
    """Refuse what is too large to be meant, and what the file cannot hold, before memory is taken."""
    width, height = image.size
    if not 0 < width * height <= MOST_PIXELS:
        raise FileError(path, "a picture of an absurd size, taken for a decompression bomb",
                        found=f"{width} x {height} pixels", expected=f"at most {MOST_PIXELS} pixels in all",
                        fix="cut it into parts, or make it smaller")  # fmt: skip
    if image.format == "PNG":
        check_ratio(path, width * height // 8, file_bytes, "pixels")


def _form(path: PathLike, image: "ImageFile") -> PictureForm:
    """What a picture becomes.

    Raises:
        FileError: It is of a kind that is refused.
    """
    if getattr(image, "n_frames", 1) > 1 or getattr(image, "is_animated", False):
        raise FileError(path, "several pictures in one file", found=f"{getattr(image, 'n_frames', 'many')}",
                        expected="one", fix="save each as a file of its own")  # fmt: skip
    mode, bits = image.mode, _stored_bits(image)
    if mode in _ALPHA:
        if bits > 8:
            raise _refused(path, f"{bits} bits with transparency", "flatten it (remove the alpha channel)")
        return PictureForm(1 if mode in ("LA", "La") else 3, 8)
    if mode in _GREY or (mode == "I" and image.format == "PNG"):
        return PictureForm(1, 16 if mode.startswith("I") else 8)
    if mode in _COLOUR and bits in (1, 2, 4, 8, 16):
        return PictureForm(3, 16 if bits == 16 else 8)
    kinds = {"CMYK": "CMYK, the inks of a printer", "F": "fractions", "I": "signed numbers, or 32 bits", "LAB": "Lab"}
    raise _refused(path, kinds.get(mode, f"{mode} of {bits} bits"), "save it as grey or RGB of 8 or 16 bits")


def _refused(path: PathLike, found: str, fix: str) -> FileError:
    return FileError(path, "a kind of picture that is not read", found=found,
                     expected="grey or RGB, 8 or 16 bits", fix=fix)  # fmt: skip


def _stored_bits(image: "ImageFile") -> int:
    """Bits of a value as the file has them: Pillow reads 16-bit colours as 8."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None:
        return int(max(tags.get(_BITS, (1,))))
    decoder = str(image.tile[0][3]) if image.tile else ""
    return 16 if "16" in decoder else 8


def _pixels(path: PathLike, image: "ImageFile", *, palette: bool = True) -> NDArray[Any]:
    """The pixels of a picture that Pillow reads as it is, (H, W) or (H, W, 3)."""
    from PIL import ImageOps

    white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _ALPHA or (palette and "transparency" in upright.info):
        upright = upright.convert("RGBA" if upright.mode != "LA" else "LA")
        *colours, alpha = upright.split()
        if np.asarray(alpha).min() < 255:
            raise _refused(path, "transparent pixels, which have no colour", "flatten it (remove the alpha channel)")
        from PIL import Image

        upright = Image.merge("RGB" if len(colours) == 3 else "L", colours)
    if upright.mode == "P" and palette:
        upright = upright.convert("RGB")
    if upright.mode == "1":
        upright = upright.convert("L")
    pixels = np.asarray(upright)
    pixels = pixels.astype(np.uint8 if pixels.dtype == np.uint8 else np.uint16)
    return np.invert(pixels) if white_is_zero and pixels.dtype == np.uint16 else pixels  # Pillow inverts 8 bits alone


def _deep_colour(path: PathLike, image: "ImageFile") -> NDArray[np.uint16]:
    """The pixels of 16-bit colours, (H, W, 3), by SimpleITK: Pillow keeps the upper 8 bits of them alone."""
    import SimpleITK as sitk

    tags = getattr(image, "tag_v2", {})
    turned = tags.get(_ORIENTATION, _UPRIGHT) if tags else image.getexif().get(_ORIENTATION, _UPRIGHT)
    if turned != _UPRIGHT or tags.get(_PLANAR, 1) != 1:
        raise _refused(path, "16-bit colours that are turned, or stored plane by plane", "save it upright, as PNG")
    image.load()  # so that what is cut or damaged is found by its checksums
    try:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(os.fspath(Path(path))))
    except RuntimeError as error:
        raise _damaged(path, error) from None
    if pixels.dtype != np.uint16 or pixels.shape != (image.height, image.width, 3):
        raise _refused(path, "16-bit colours in a coding that is not read", "save it as PNG")
    return np.asarray(pixels)
