"""What there is to translate behind one INPUT, and where each result goes."""

import logging
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path

from medp2p.data.case_folders import channel_file
from medp2p.errors import ConfigError, Fault, FileError, OutputExistsError, fault, listed, tried
from medp2p.io import (
    IMAGE_EXTENSIONS,
    PICTURE_OUTPUTS,
    is_dicom,
    list_images,
    refuse_file_name,
    refuse_unknown_format,
    sub_folders,
)
from medp2p.io.dicom_beside import MOST_FOLDERS, folders_with_dicom, lies_among_images
from medp2p.translation.description import Description
from medp2p.translation.job import Job, Jobs

logger = logging.getLogger(__name__)

PathLike_ = str | PathLike[str]
OUTPUT_EXTENSIONS = IMAGE_EXTENSIONS
_OF_BIDS = "dataset_description.json"
_DEFAULT_EXTENSION = OUTPUT_EXTENSIONS[0]


def find_jobs(
    given: PathLike_ | Mapping[str, PathLike_], output: PathLike_, description: Description, *, dicom_out: bool = False
) -> Jobs:
    """The jobs behind an INPUT: an image file, named channels, a case folder, a cohort, a folder of images or a series.

    Args:
        given: The input, or every source's file by its channel's name.
        output: Image file or folder.
        description: The model's channels and their training file names.
        dicom_out: OUTPUT was typed as a folder, which a DICOM series may be written to.

    Raises:
        FileError: INPUT is missing, or holds nothing that could be translated.
        ConfigError: Channels or the kind of OUTPUT do not fit.
    """
    found = _found(given, Path(output), description, dicom_out=dicom_out)
    makes_folder = any(path != Path(output) for job in found.jobs for path in job.outputs.values())
    if found.many or makes_folder:
        one_image = not found.many and len(description.target_images) == 1
        images = f", or an image: {', '.join(_extensions(description))}" if one_image else ""
        refuse_file_name(output, expected=f"the name of a folder{images}")
    return found


def _found(
    given: PathLike_ | Mapping[str, PathLike_], target: Path, description: Description, *, dicom_out: bool
) -> Jobs:
    if isinstance(given, Mapping):
        return Jobs((_named(given, target, description),))
    path = Path(given)
    if not path.exists():
        pattern = any(mark in str(path) for mark in "{*")
        fix = "give the folder itself: -i takes no pattern" if pattern else "check the path of -i"
        raise FileError(given, "no such file or folder", fix=fix)
    if description.pictures and path.is_dir():
        return _pictures(path, target, description)
    if not path.is_dir():
        only = _only_source(given, description)
        refuse_unknown_format(given)
        if is_dicom(path) and not description.pictures:
            return Jobs((_series(given, target, description, dicom_out=dicom_out),))
        return Jobs((Job(path.name, {only: path}, _file_outputs(target, description)),))
    case = _case_files(path, description)
    if len(case) == len(description.sources):
        outputs = _file_outputs(target, description, folder_allowed=True)
        return Jobs((Job(path.resolve().name, case, outputs),))
    cohort = _cohort(path, target, description)
    if cohort is None and (path / _OF_BIDS).is_file():
        raise FileError(
            given,
            "a BIDS data set: its images lie deeper, and the results belong into a derivative of their own",
            fix="use pipelines/bids_contrast.py (docs/how-to/bids-contrast.md), or give one image",
        )
    return cohort or _images(given, target, description, dicom_out=dicom_out)


def _named(given: Mapping[str, PathLike_], target: Path, description: Description) -> Job:
    if set(given) != set(description.source_images):
        raise ConfigError(
            None,
            "the channels are not those of the model",
            key="-i",
            found=", ".join(given),
            expected=", ".join(description.source_images),
            fix="give every one as -i NAME=FILE",
        )
    for name, path in given.items():
        if not Path(path).exists():
            raise FileError(path, f"no such file for channel {name}", fix="check the path")
        refuse_unknown_format(path)
    sources = {name: Path(given[name]) for name in description.source_images}
    return Job(next(iter(sources.values())).name, sources, _file_outputs(target, description, folder_allowed=True))


def _only_source(given: PathLike_, description: Description) -> str:
    names = tuple(description.source_images)
    if len(names) > 1:
        typed = " ".join(f"-i {name}=FILE" for name in names)
        folder = Path(given).is_dir()
        raise ConfigError(
            given,
            "this folder does not hold every source" if folder else "one file for a model with several sources",
            key="-i",
            expected=", ".join(description.files[name] if folder else name for name in names),
            fix=f"write {typed}, or give a folder that holds them as in training",
        )
    return names[0]


def _file_outputs(
    target: Path, description: Description, *, folder_allowed: bool = False, or_dicom: bool = False
) -> dict[str, Path]:
    """Where the targets of one scan go: one to the file itself, several (or by wish) to files in a folder."""
    names, known = tuple(description.target_images), _extensions(description)
    is_image = target.name.lower().endswith(known)
    if is_image and len(names) == 1:
        return {names[0]: target}
    if is_image or not (folder_allowed or len(names) > 1):
        raise ConfigError(
            target,
            "this is no image file that can be written"
            if not is_image
            else "one file for a model with several targets",
            key="-o",
            expected=", ".join(known) if not is_image else f"a folder for {', '.join(names)}",
            fix="name a folder"
            if is_image
            else f"write a name with one of these extensions, or {target.name}/ for a DICOM folder"
            if or_dicom
            else "write a name with one of these extensions",
        )
    return {name: target / f"{name}{known[0]}" for name in names}


def _extensions(description: Description) -> tuple[str, ...]:
    """The extensions that results can have, the one that they have by default first."""
    return PICTURE_OUTPUTS if description.pictures else OUTPUT_EXTENSIONS


def _pictures(path: Path, target: Path, description: Description) -> Jobs:
    """The pictures of a folder, or, of several sources, those of equal names in its sub-folders."""
    names = tuple(description.source_images)
    inside = {name: path / description.files[name] for name in names}
    if not all(folder.is_dir() for folder in inside.values()):
        _only_source(path, description)
        inside = {names[0]: path}
    listed: dict[str, dict[str, Path]] = {}
    faults: list[Fault] = []
    for name, folder in inside.items():
        listed[name], wrong = list_images(folder, pictures=True)
        faults += wrong
    jobs = []
    for stem in sorted({stem for found in listed.values() for stem in found}):
        sources = {name: listed[name][stem] for name in inside if stem in listed[name]}
        first = next(iter(sources.values()))
        if len(sources) < len(inside):
            missing = ", ".join(str(inside[name] / stem) + ".*" for name in inside if name not in sources)
            cause = "the partner of this picture is missing"
            faults.append(fault(first, cause, expected=missing, fix="put it there, or take this one away"))
            continue
        end = first.suffix if first.suffix.lower() in PICTURE_OUTPUTS else PICTURE_OUTPUTS[0]
        made = tuple(description.target_images)
        outputs = {t: (target / t if len(made) > 1 else target) / f"{stem}{end}" for t in made}
        jobs.append(Job(first.name, sources, outputs))
    if not jobs and not faults:
        below = ", ".join(folder.name for folder in sub_folders(path)[:5])
        raise FileError(path, "no picture to translate in this folder", found=f"folders {below}" if below else None,
                        expected="PNG, TIFF, JPEG or radiographs in DICOM",
                        fix=f"put the pictures themselves into {' and '.join(map(str, inside.values()))}"
                        if len(inside) > 1
                        else "give one of the folders in it" if below else "give another folder")  # fmt: skip
    return Jobs(tuple(jobs), tuple(faults), many=True)


def _case_files(folder: Path, description: Description) -> dict[str, Path]:
    """The sources that a folder holds under their training file names, as training itself finds them."""
    found = {}
    for name in description.sources:
        pattern = description.files[name].replace("{case}", folder.resolve().name)
        path = channel_file(folder, f"{pattern[:-2]}{_DEFAULT_EXTENSION}" if pattern.endswith(".*") else pattern)
        if path is not None and not path.is_dir():  # broken links are told later
            found[name] = path
    return found


def _cohort(path: Path, target: Path, description: Description) -> Jobs | None:
    """Sub-folders that hold the sources; None where no sub-folder holds any."""
    jobs: list[Job] = []
    faults: list[Fault] = []
    bare: list[str] = []
    for folder in sub_folders(path):
        files = tried(faults, _case_files, folder, description)
        if files is None:
            continue
        missing = [name for name in description.sources if name not in files]
        if not missing:
            outputs = {name: target / folder.name / f"{name}{_DEFAULT_EXTENSION}" for name in description.targets}
            jobs.append(Job(folder.name, files, outputs))
        elif files:
            expected = ", ".join(description.files[name] for name in missing)
            faults.append(
                fault(folder, f"no file for channel {', '.join(missing)}", expected=expected, fix="put it there")
            )
        else:
            bare.append(folder.name)
    if not jobs and not faults:
        return None
    if bare:
        expected = ", ".join(description.files[name] for name in description.sources)
        logger.warning("passed over, as they hold no source (%s): %s", expected, ", ".join(bare))
    beside = sorted(image.name for image in list_images(path)[0].values())
    if beside:
        logger.warning("passed over, as they lie beside the folders of cases: %s", ", ".join(beside))
    return Jobs(tuple(jobs), tuple(faults), many=True)


def _images(given: PathLike_, target: Path, description: Description, *, dicom_out: bool) -> Jobs:
    path = Path(given)
    images, faults = list_images(path)
    if not images and not faults:
        if any(entry.is_file() and not entry.name.startswith(".") for entry in path.iterdir()):
            return Jobs((_series(given, target, description, dicom_out=dicom_out),))
        expected, deeper = ", ".join(description.files[name] for name in description.sources), folders_with_dicom(path)
        raise FileError(given, "nothing to translate in this folder",
                        expected=f"image files, a DICOM series, or {expected} in it or in its sub-folders",
                        fix=_given_as(deeper, description))  # fmt: skip
    only = _only_source(given, description)
    if lies_among_images(path):
        logger.warning("passed over, as they lie beside image files: the DICOM files in %s; "
                       "for their series, put them into a folder of their own", given)  # fmt: skip
    several = len(description.targets) > 1
    jobs = []
    for stem in sorted(images):
        name = images[stem].name
        if not name.lower().endswith(OUTPUT_EXTENSIONS):
            name = f"{stem}{_DEFAULT_EXTENSION}"
        outputs = {t: (target / t / name if several else target / name) for t in description.targets}
        jobs.append(Job(images[stem].name, {only: images[stem]}, outputs))
    return Jobs(tuple(jobs), tuple(faults), many=True)


def _given_as(folders: list[str], description: Description) -> str:
    """How to give the folders with DICOM images that lie below."""
    if not folders:
        return "give another folder"
    if len(description.sources) > 1:
        named = " ".join(f"-i {name}=FOLDER" for name in description.sources)
        return f"write {named}, with folders of these: {listed(folders, MOST_FOLDERS)}"
    return f"give one of these: {listed(folders, MOST_FOLDERS)}"


def _series(given: PathLike_, target: Path, description: Description, *, dicom_out: bool) -> Job:
    only = _only_source(given, description)
    if not dicom_out:
        outputs = _file_outputs(target, description, or_dicom=len(description.targets) == 1)
        return Job(Path(given).name, {only: Path(given)}, outputs)
    if target.name in ("", ".."):
        raise ConfigError(target, "a DICOM folder needs a name, by which the JSON beside it is called", key="-o",
                          fix="name a new folder, as synthetic_ct/")  # fmt: skip
    if len(description.targets) > 1:
        raise ConfigError(target, "a DICOM folder for a model with several targets", key="-o",
                          fix="write image files instead")  # fmt: skip
    return Job(Path(given).name, {only: Path(given)}, {description.targets[0]: target}, dicom=True)


def refuse_output_folder(target: PathLike_) -> None:
    """Raise where the folder that many results shall go to is a file."""
    path = Path(target)
    if path.exists() and not path.is_dir():
        raise OutputExistsError(fspath(target), "this is a file, and a folder is needed", fix="choose another name")
