"""Names of image files: their extensions, what is left without them, and which files of a folder are images."""

import os
from collections.abc import Iterator
from pathlib import Path

from medp2p.errors import ConfigError, Fault, fault
from medp2p.io.machine import file_error

PathLike = str | os.PathLike[str]

IMAGE_EXTENSIONS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr")
"""What is read and written, in any case of letters."""
INPUT_EXTENSIONS = (*IMAGE_EXTENSIONS, ".hdr", ".img")
"""What is read from files, DICOM apart."""
PICTURE_OUTPUTS = (".png", ".tif", ".tiff")
"""Pictures that are read and written; a JPEG loses too much to be written."""
PICTURE_EXTENSIONS = (*PICTURE_OUTPUTS, ".jpg", ".jpeg")
"""Pictures that are read."""
RADIOGRAPH_EXTENSIONS = (".dcm", ".dicom", ".ima")
"""DICOM files, by name; a radiograph in one is a picture."""
_OTHER_FILES = (
    ".bmp", ".csv", ".gif", ".gz", ".h5", ".html", ".jp2", ".json", ".mat", ".mgz", ".mnc", ".npy", ".npz", ".onnx",
    ".pdf", ".pt", ".pth", ".safetensors", ".svg", ".tar", ".txt", ".webp", ".yaml", ".yml", ".zip",
)  # fmt: skip
"""Endings that nobody gives a folder, beside those of scans and pictures."""
OTHER_PICTURES = (".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".heic", ".heif", ".avif", ".psd")
"""Pictures that are not read: told by name where pictures are looked for, since a pair would be missed in silence."""
WEIGHTS_EXTENSIONS = (".pth", ".pt", ".ckpt")
"""What torch saves networks as; named where an image or a run is looked for."""
_PASSED_OVER = ("thumbs.db", "desktop.ini")


def image_extension(path: PathLike) -> str:
    """The extension in lower case, or nothing where it is none of an image.

    Examples:
        >>> image_extension("1.2.840.NII.gz"), image_extension("notes.txt"), image_extension("head.seg.nrrd")
        ('.nii.gz', '', '.nrrd')
    """
    name = Path(path).name.lower()
    return next((end for end in INPUT_EXTENSIONS if name.endswith(end) and name != end), "")


def picture_extension(path: PathLike, *, radiographs: bool = False) -> str:
    """The extension in lower case, or nothing where it is none of a picture.

    Args:
        path: A file.
        radiographs: Whether the name of a DICOM file counts.

    Examples:
        >>> picture_extension("1.PNG"), picture_extension("ct.nii.gz"), picture_extension("a.dcm", radiographs=True)
        ('.png', '', '.dcm')
    """
    end = Path(path).suffix.lower()
    return end if end in PICTURE_EXTENSIONS or (radiographs and end in RADIOGRAPH_EXTENSIONS) else ""


def file_ending(path: PathLike) -> str:
    """The ending by which a name is a file's, of whatever kind; nothing where it may be a folder's, dots or not.

    Examples:
        >>> file_ending("out/early.PNG"), file_ending("ct.nii.gz"), file_ending("scores.csv"), file_ending("run.v2")
        ('.png', '.nii.gz', '.csv', '')
    """
    end = Path(path).suffix.lower()
    return image_extension(path) or picture_extension(path, radiographs=True) or (end if end in _OTHER_FILES else "")


def refuse_file_name(folder: PathLike, *, expected: str = "the name of a folder") -> None:
    """Raise where a folder would be made whose name says that it is a file, as `scores.csv`.

    Args:
        folder: As it was typed; a name that ends in a slash is meant, and what is there is its caller's matter.
        expected: For the message.

    Raises:
        ConfigError: With the ending.
    """
    ending = file_ending(folder)
    if not ending or os.fspath(folder).endswith(("/", os.sep)) or Path(folder).exists():
        return
    raise ConfigError(folder, "a folder would be written here, and the name is that of a file", key="-o", found=ending,
                      expected=expected,
                      fix=f"leave {ending} out, or end the name in / where a folder shall be called so")  # fmt: skip


def image_stem(path: PathLike) -> str:
    """The name without the extension of an image or picture; dots inside it stay, a name without one stays whole.

    Examples:
        >>> image_stem("out/S01.v2.nii.gz"), image_stem("head.seg.nrrd"), image_stem("S01.v2"), image_stem("1.png")
        ('S01.v2', 'head', 'S01.v2', '1')
    """
    name = Path(path).name
    stem = name[: len(name) - len(image_extension(path) or picture_extension(path))]
    layered = image_extension(path) in (".nrrd", ".nhdr") and stem.lower().endswith(".seg") and len(stem) > 4
    return stem[:-4] if layered else stem


def image_files(folder: PathLike, *, pictures: bool = False) -> Iterator[Path]:
    """The image files of a folder in the order of their names; of a header and image pair the header alone.

    Args:
        folder: Where they are.
        pictures: Pictures and radiographs instead of scans; never both, since many scans have pictures beside them.

    Raises:
        FileError: The folder cannot be read.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.is_dir())
    except OSError as error:
        raise file_error(folder, error) from None
    if pictures:
        names = [name for name in names if picture_extension(name, radiographs=True) and not passed_over(name)]
        yield from (Path(folder) / name for name in names)
        return
    present = {name.lower() for name in names}
    for name in names:
        pair = name.lower().endswith(".img") and f"{name.lower()[:-4]}.hdr" in present
        if image_extension(name) and not passed_over(name) and not pair:
            yield Path(folder) / name


def sub_folders(folder: PathLike) -> list[Path]:
    """The folders in a folder in the order of their names, but for those that begin with a dot.

    Raises:
        FileError: The folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except OSError as error:
        raise file_error(folder, error) from None
    return [Path(folder) / name for name in names]


def list_images(folder: PathLike, *, pictures: bool = False) -> tuple[dict[str, Path], list[Fault]]:
    """The images of a folder by their name without extension, those that two files claim, and pictures not read.

    Args:
        folder: Where they are.
        pictures: As for `image_files`.

    Returns:
        Name -> file, in the order of names; a fault for each name that several files have, which are in no pair, and
        where pictures are looked for also for each file of a format that is not read.

    Raises:
        FileError: The folder cannot be read.
    """
    found: dict[str, list[Path]] = {}
    unread = [unread_picture(path) for path in _other_pictures(folder)] if pictures else []
    for path in image_files(folder, pictures=pictures):
        stem = path.stem if picture_extension(path, radiographs=pictures) else image_stem(path)
        found.setdefault(stem, []).append(path)
    faults = [
        fault(
            paths[0],
            "two files of one name",
            found=" and ".join(path.name for path in paths),
            expected=f"one image called {stem}",
            fix="keep one of them, or rename it",
        )
        for stem, paths in sorted(found.items())
        if len(paths) > 1
    ]
    return {stem: paths[0] for stem, paths in sorted(found.items()) if len(paths) == 1}, [*faults, *unread]


def unread_picture(path: PathLike) -> Fault:
    """What is wrong with a picture of a format that is not read."""
    return fault(path, "a format of pictures that is not read", found=Path(path).suffix,
                 expected=", ".join(PICTURE_EXTENSIONS), fix="save it as PNG or TIFF, or take it away")  # fmt: skip


def _other_pictures(folder: PathLike) -> list[Path]:
    return sorted(
        path for path in Path(folder).iterdir()
        if path.suffix.lower() in OTHER_PICTURES and not passed_over(path.name) and not path.is_dir()
    )  # fmt: skip


def is_written_slice(name: str) -> bool:
    """Whether a file of that name is one that we write into a DICOM folder.

    Examples:
        >>> is_written_slice("0001.dcm"), is_written_slice("notes.txt")
        (True, False)
    """
    return name.endswith(".dcm")


def passed_over(name: str) -> bool:
    """Whether a file of that name is nobody's data: hidden, or left by a file manager.

    Examples:
        >>> passed_over(".DS_Store"), passed_over("Thumbs.db"), passed_over("ct.nii")
        (True, True, False)
    """
    return name.startswith(".") or name.lower() in _PASSED_OVER
