"""One way to read a scan or a picture and one to write it, whatever its format."""

import os
from pathlib import Path

from medp2p.errors import FileError
from medp2p.io.exact import file_size
from medp2p.io.names import (
    IMAGE_EXTENSIONS,
    INPUT_EXTENSIONS,
    OTHER_PICTURES,
    PICTURE_EXTENSIONS,
    PICTURE_OUTPUTS,
    RADIOGRAPH_EXTENSIONS,
    WEIGHTS_EXTENSIONS,
    image_extension,
    picture_extension,
    unread_picture,
)
from medp2p.io.nifti_read import read_nifti
from medp2p.io.nifti_write import write_nifti
from medp2p.picture import is_picture
from medp2p.volume import Volume, require_volume

PathLike = str | os.PathLike[str]
_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")


def read_volume(path: PathLike, *, series: str | None = None) -> Volume:
    """Read one scan, or one picture.

    Args:
        path: An image file (.nii, .nii.gz, .mha, .mhd, .nrrd, .nhdr, .hdr or .img, in any case of letters), a DICOM
            file that is a whole scan, or a folder with a DICOM series; a picture (.png, .tif, .tiff, .jpg or .jpeg),
            or a radiograph in DICOM.
        series: SeriesInstanceUID of the series that is meant, where a folder holds several.

    Returns:
        The voxels as stored, or scaled, on their grid in RAS+ and mm; of a picture, its pixels and colours (see
        `medp2p.picture`).

    Raises:
        FileError: The file is missing, damaged, contradicts itself, or holds anything but one scan.
        GeometryError: It does not say where the scan lies, or contradicts itself about it.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = Path(folder.name) / "t1.nii.gz"
        >>> write_volume(Volume(np.zeros((4, 5, 6), np.int16), np.eye(4)), file)
        >>> read_volume(file)
        Volume((4, 5, 6), int16, 1 x 1 x 1 mm, RAS)
        >>> folder.cleanup()
    """
    if Path(path).is_dir() or is_dicom(path):
        from medp2p.io.dicom_read import read_series
        from medp2p.io.radiograph import is_radiograph, read_radiograph

        if not Path(path).is_dir() and series is None and is_radiograph(path):
            return read_radiograph(path)
        return read_series(path, series=series)
    if series is not None:
        raise FileError(path, "a series is asked for, but this is no DICOM folder", fix="leave --series out")
    if picture_extension(path):
        from medp2p.io.picture_read import read_picture

        return read_picture(path)
    extension = image_extension(path)
    if extension in (".mha", ".mhd"):
        from medp2p.io.metaimage import read_metaimage

        return read_metaimage(path)
    if extension in (".nrrd", ".nhdr"):
        from medp2p.io.nrrd import read_nrrd

        return read_nrrd(path)
    refuse_unknown_format(path)
    return read_nifti(path)


def refuse_unknown_format(path: PathLike) -> None:
    """Raise where no reader is known for what lies there; of the content only the mark of DICOM is looked at.

    Raises:
        FileError: Neither the name nor that mark tells a format.
    """
    if Path(path).is_dir() or image_extension(path) or picture_extension(path) or is_dicom(path):
        return
    file_size(path)
    if Path(path).suffix.lower() in OTHER_PICTURES:
        raise FileError.several([unread_picture(path)])
    if Path(path).suffix.lower() in WEIGHTS_EXTENSIONS:
        raise FileError(path, "these are weights, no image", found=Path(path).suffix,
                        fix="make a run of a generator's with `medp2p import`")  # fmt: skip
    raise _no_format(path, (*INPUT_EXTENSIONS, *PICTURE_EXTENSIONS))


def write_volume(volume: Volume, path: PathLike, *, overwrite: bool = False) -> None:
    """Write one scan, or one picture, whole or not at all.

    Args:
        volume: Written in its own number type, on its own grid.
        path: Ends in .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr, in any case of letters; for a picture in .png, .tif
            or .tiff.
        overwrite: Replace a file that is there.

    Raises:
        OutputExistsError: There is a file and `overwrite` is not given.
        FileError: The extension is none of these or does not suit, or the file cannot be written.
        GeometryError: The grid is sheared, which NIfTI alone can hold; or it is no Volume.
    """
    require_volume(volume, "what shall be written")
    if picture_extension(path):
        from medp2p.io.picture_write import write_picture

        write_picture(volume, path, overwrite=overwrite)
        return
    extension = image_extension(path)
    if is_picture(volume):
        raise FileError(path, "a picture lies nowhere in a patient, which a format for scans would say of it",
                        expected=", ".join(PICTURE_OUTPUTS), fix="write it as PNG or TIFF")  # fmt: skip
    if extension not in IMAGE_EXTENSIONS:
        raise _no_format(path, (*IMAGE_EXTENSIONS, *PICTURE_OUTPUTS))
    if extension in (".mha", ".mhd"):
        from medp2p.io.metaimage import write_metaimage

        write_metaimage(volume, path, overwrite=overwrite)
    elif extension in (".nrrd", ".nhdr"):
        from medp2p.io.nrrd import write_nrrd

        write_nrrd(volume, path, overwrite=overwrite)
    else:
        write_nifti(volume, path, overwrite=overwrite)


def is_dicom(path: PathLike) -> bool:
    """Whether a file is DICOM: by its name, or, where it has no image's, by the mark after its preamble."""
    if Path(path).suffix.lower() in RADIOGRAPH_EXTENSIONS:
        return True
    if image_extension(path) or not Path(path).is_file():
        return False
    try:
        with Path(path).open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _no_format(path: PathLike, known: tuple[str, ...]) -> FileError:
    return FileError(
        path,
        "no image format is known by this name",
        found=Path(path).suffix or "no extension",
        expected=", ".join(known),
        fix="unpack it, and give the folder with the slices"
        if Path(path).suffix.lower() in _ARCHIVES
        else "give the file the extension of its format",
    )
