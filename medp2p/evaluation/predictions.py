"""What was predicted: the files behind -p, and the case that each belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from medp2p.errors import Fault, FileError, fault
from medp2p.evaluation.patterns import CASE, expanded
from medp2p.io import image_files, image_stem, list_images, picture_extension, sub_folders
from medp2p.io.dicom_beside import is_series_folder

Source = str | PathLike[str]


@dataclass(frozen=True)
class Prediction:
    """One predicted scan or picture.

    Attributes:
        case: Its id.
        path: Its file, or the folder of its series.
        in_case_folder: Whether it lies alone in a folder of that name.
    """

    case: str
    path: Path
    in_case_folder: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether what belongs to it are pictures too."""
        return bool(picture_extension(self.path, radiographs=True))


@dataclass(frozen=True)
class Predictions:
    """All predictions.

    Attributes:
        cases: By the id of the case, in the order in which they are scored.
        many: Whether there may be several: then one file cannot be the reference of all.
    """

    cases: Mapping[str, Prediction]
    many: bool


def find_predictions(source: Source) -> tuple[Predictions, list[Fault]]:
    """The predictions behind -p, and what is wrong with some of them.

    Args:
        source: An image file; a folder with a DICOM series; a folder of image files; a folder of case folders with one
            image each; or a pattern.

    Raises:
        FileError: Nothing is there.
    """
    words = fspath(source)
    if CASE in words:
        found = {case: Prediction(case, path) for case, path in expanded(words)}
        if not found:
            raise FileError(words, "no file fits the pattern", fix="check the pattern of -p")
        return Predictions(found, many=True), []
    path = Path(words)
    if not path.exists():
        raise FileError(words, "no such file or folder", key="-p", fix="check the path")
    if not path.is_dir():
        case = path.stem if picture_extension(path, radiographs=True) else image_stem(path)
        return Predictions({case: Prediction(case, path)}, many=False), []
    if is_series_folder(path):
        case = path.resolve().name
        return Predictions({case: Prediction(case, path)}, many=False), []
    images, faults = list_images(path)
    if images or faults:
        return Predictions({case: Prediction(case, file) for case, file in images.items()}, many=True), [*faults]
    cases: dict[str, Prediction] = {}
    for folder in sub_folders(path):
        files = list(image_files(folder))
        if len(files) == 1:
            cases[folder.name] = Prediction(folder.name, files[0], in_case_folder=True)
        elif files:
            faults.append(
                fault(
                    folder,
                    "several images, and no word on which is the prediction",
                    found=", ".join(file.name for file in files[:5]),
                    expected="one",
                    fix=f"give -p as a pattern, such as {path}/{CASE}/{files[0].name}",
                )
            )
    if cases or faults:
        return Predictions(cases, many=True), faults
    pictures, faults = list_images(path, pictures=True)
    return Predictions({case: Prediction(case, file) for case, file in pictures.items()}, many=True), [*faults]
