"""What a file is to a prediction (reference, label map, body mask), and how it is found behind its argument."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medp2p.errors import ConfigError, Fault, FileError, fault
from medp2p.evaluation.patterns import CASE, expanded, without_case
from medp2p.evaluation.predictions import Prediction, Predictions
from medp2p.io import image_stem, list_images, sub_folders
from medp2p.io.dicom_beside import is_series_folder


@dataclass(frozen=True)
class Role:
    """One argument beside the predictions.

    Attributes:
        name: The option; `-m WORDS` for each of the label maps.
        words: What was given.
        predictions: What belongs to it.
    """

    name: str
    words: str
    predictions: Predictions

    def of(self, prediction: Prediction) -> Path:
        """The file (or folder of masks) of a case."""
        if CASE in self.words:
            path = Path(self.words.replace(CASE, prediction.case))
            return self._there(path, prediction)
        path = Path(self.words)
        if not path.exists():
            raise FileError(self.words, "no such file or folder", key=self.name, fix="check the path")
        if not path.is_dir():
            if self.predictions.many:
                raise ConfigError(
                    self.words,
                    "one file for several cases",
                    key=self.name,
                    fix="give a folder whose files are named like the predictions, or a pattern with {case}",
                )
            return path
        if self.name == "-r" and not self.predictions.many and is_series_folder(path):
            return path
        return self._in_folder(path, prediction)

    @property
    def title(self) -> str:
        """What a map behind this argument is called: its file's or folder's name, a pattern's without {case}."""
        path = Path(self.words)
        if CASE not in self.words:
            return path.name if path.is_dir() else image_stem(path)
        return without_case(image_stem(path.name)) or without_case(path.parent.name)

    @property
    def longer_title(self) -> str:
        """The title with the folder's name, where several maps have the same title."""
        return f"{without_case(Path(self.words).parent.name)} {self.title}".strip()

    def _in_folder(self, folder: Path, prediction: Prediction) -> Path:
        case_folder = folder / prediction.case
        if prediction.in_case_folder and case_folder.is_dir():
            stem = {"-r": image_stem(prediction.path), "-b": "body", "--predicted-regions": "regions"}
            return self._named(case_folder, stem.get(self.name, "regions"), prediction)
        images, faults = list_images(folder, pictures=prediction.is_picture)
        if prediction.case in images:
            return images[prediction.case]
        twice = [each for each in faults if each.path and image_stem(each.path) == prediction.case]
        if twice:
            raise FileError.several(twice)
        if self.name.startswith("-m") and not self.predictions.many and images:
            return folder
        return self._named(folder, prediction.case, prediction)

    def _named(self, folder: Path, stem: str, prediction: Prediction) -> Path:
        images, faults = list_images(folder, pictures=prediction.is_picture)
        if stem in images:
            return images[stem]
        if faults:
            raise FileError.several(faults)
        raise FileError(
            prediction.path,
            f"{self._kind()} of this prediction is missing",
            key=prediction.case,
            expected=f"{stem}.*",
            fix=f"put it where {self.name} says, or take the prediction away",
        )

    def _there(self, path: Path, prediction: Prediction) -> Path:
        if path.exists():
            return path
        raise FileError(
            prediction.path,
            f"{self._kind()} of this prediction is missing",
            key=prediction.case,
            expected=path.name,
            fix=f"put it there, or correct the pattern of {self.name}",
        )

    def _kind(self) -> str:
        kinds = {"-r": "the reference", "-b": "the body mask", "--predicted-regions": "the prediction's label map"}
        return kinds.get(self.name, "the label map")

    def without(self, cases: Mapping[str, Prediction]) -> Iterator[Fault]:
        """References that no prediction belongs to."""
        if not self.predictions.many:
            return
        path = Path(self.words)
        if CASE in self.words:
            there = dict(expanded(self.words))
        elif not path.is_dir():
            return
        elif any(each.in_case_folder for each in cases.values()):
            names = {image_stem(each.path) for each in cases.values()}
            there = {folder.name: folder for folder in sub_folders(path) if names & {*list_images(folder)[0]}}
        else:
            there = list_images(path, pictures=any(each.is_picture for each in cases.values()))[0]
        for case in sorted(set(there) - set(cases)):
            yield fault(there[case], "no prediction for this reference", fix="nothing, if none is wanted", key=case)
