"""Which files belong to one case: a file, folders that match by name, folders of cases, patterns with {case}."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path

from medp2p.errors import ConfigError, Fault, FileError, Medp2pError, fault
from medp2p.evaluation.patterns import CASE, expanded, refuse_unknown_placeholders, without_case
from medp2p.io import image_files, image_stem, list_images, passed_over, picture_extension

Source = str | PathLike[str]


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case.

    Attributes:
        case: Id in the rows.
        predicted: The synthetic scan.
        reference: The acquired scan.
        regions: Label maps by the name of their argument, in the order in which they were given.
        masks: Binary masks by the name of the region that each is.
        body: Mask of the body, or None.
        source: Input of the translation, for pictures, or None.
        predicted_regions: Label map of the prediction, or None.
        patient: Whose it is, where that is not the case.
    """

    case: str
    predicted: Path
    reference: Path
    regions: Mapping[str, Path] = field(default_factory=dict)
    masks: Mapping[str, Path] = field(default_factory=dict)
    body: Path | None = None
    source: Path | None = None
    predicted_regions: Path | None = None
    patient: str | None = None

    @property
    def paths(self) -> Iterator[Path]:
        """Every file of the case."""
        yield from (self.predicted, self.reference, *self.regions.values(), *self.masks.values())
        yield from (path for path in (self.body, self.source, self.predicted_regions) if path is not None)


@dataclass(frozen=True)
class Matched:
    """What was found behind the arguments.

    Attributes:
        cases: In the order of their ids.
        faults: Cases that cannot be scored, and why.
        warnings: References that have no prediction.
    """

    cases: tuple[CaseFiles, ...]
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


def match_files(
    predicted: Source,
    reference: Source,
    regions: Sequence[Source] = (),
    body: Source | None = None,
    *,
    predicted_regions: Source | None = None,
) -> Matched:
    """The cases behind the arguments of `evaluate`.

    Args:
        predicted: An image file; a folder of them; a folder of case folders with one image each; or a pattern.
        reference: The like: files of the same name (any image extension), case folders that hold a file of the
            prediction's name, or a pattern.
        regions: Each a file, folder or pattern; in case folders `regions.*`. Where a pattern names a folder, or a
            single prediction comes with a folder, every file in it is a binary mask called by its name.
        body: A file, folder or pattern; in case folders `body.*`.
        predicted_regions: The like, of the prediction.

    Raises:
        FileError: Nothing is there, or nothing matches at all.
        ConfigError: One file is given for many cases, or a pattern holds a placeholder that there is not.
    """
    roles: dict[str, Source | None] = {"-r": reference, "-b": body, "--predicted-regions": predicted_regions}
    roles |= {f"-m {fspath(each)}": each for each in regions}
    for role, source in {"-p": predicted, **roles}.items():
        if source is not None:
            refuse_unknown_placeholders(role.partition(" ")[0], fspath(source))
    given, faults = _predictions(predicted)
    found = {role: _Role(role, fspath(source), given) for role, source in roles.items() if source is not None}
    cases = []
    for prediction in given.cases.values():
        try:
            cases.append(_case(prediction, found))
        except Medp2pError as refused:
            faults += refused.faults
    if not cases and not faults:
        raise FileError(predicted, "no image here", fix="give an image file, a folder of them or a pattern with {case}")
    faults = [*dict.fromkeys(faults)]  # what is wrong with an argument is wrong for every case
    if not cases:
        raise FileError.several(faults)
    unused = found["-r"].without(given.cases)
    return Matched(tuple(cases), tuple(faults), tuple(unused))


@dataclass(frozen=True)
class _Prediction:
    case: str
    path: Path
    in_case_folder: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether what belongs to it are pictures too."""
        return bool(picture_extension(self.path, radiographs=True))


@dataclass(frozen=True)
class _Predictions:
    cases: Mapping[str, _Prediction]
    many: bool


def _predictions(source: Source) -> tuple[_Predictions, list[Fault]]:
    words = fspath(source)
    if CASE in words:
        found = {case: _Prediction(case, path) for case, path in expanded(words)}
        if not found:
            raise FileError(words, "no file fits the pattern", fix="check the pattern of -p")
        return _Predictions(found, many=True), []
    path = Path(words)
    if not path.exists():
        raise FileError(words, "no such file or folder", key="-p", fix="check the path")
    if not path.is_dir():
        case = path.stem if picture_extension(path, radiographs=True) else image_stem(path)
        return _Predictions({case: _Prediction(case, path)}, many=False), []
    images, faults = list_images(path)
    if images or faults:
        return _Predictions({case: _Prediction(case, file) for case, file in images.items()}, many=True), [*faults]
    cases: dict[str, _Prediction] = {}
    for folder in _sub_folders(path):
        files = list(image_files(folder))
        if len(files) == 1:
            cases[folder.name] = _Prediction(folder.name, files[0], in_case_folder=True)
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
        return _Predictions(cases, many=True), faults
    pictures, faults = list_images(path, pictures=True)
    return _Predictions({case: _Prediction(case, file) for case, file in pictures.items()}, many=True), [*faults]


def _case(prediction: _Prediction, roles: Mapping[str, "_Role"]) -> CaseFiles:
    regions: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    faults: list[Fault] = []
    found: dict[str, Path] = {}
    titles = [role.title for name, role in roles.items() if name.startswith("-m")]
    for name, role in roles.items():
        try:
            path = role.of(prediction)
        except Medp2pError as refused:
            faults += refused.faults
            if name == "-r":
                break
            continue
        if not name.startswith("-m"):
            found[name] = path
        elif path.is_dir():
            in_folder = {image_stem(file): file for file in image_files(path, pictures=prediction.is_picture)}
            faults += [_second(file, masks[title]) for title, file in in_folder.items() if title in masks]
            masks |= in_folder
        else:
            title = role.longer_title if titles.count(role.title) > 1 else role.title
            faults += [_second(path, regions[title])] if title in regions else []
            regions[title] = path
    if faults:
        raise FileError.several(faults)
    return CaseFiles(
        prediction.case,
        prediction.path,
        found["-r"],
        regions,
        masks,
        found.get("-b"),
        predicted_regions=found.get("--predicted-regions"),
    )


def _second(path: Path, first: Path) -> Fault:
    """A map or mask whose name is taken."""
    return fault(path, "a second one of this name, which regions are called by", found=f"{first} and {path}",
                 expected="every -m with a name of its own", fix="rename one of them, or give it once")  # fmt: skip


@dataclass(frozen=True)
class _Role:
    """One argument beside the predictions, and how a case's file is found behind it."""

    name: str
    words: str
    predictions: _Predictions

    def of(self, prediction: _Prediction) -> Path:
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

    def _in_folder(self, folder: Path, prediction: _Prediction) -> Path:
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

    def _named(self, folder: Path, stem: str, prediction: _Prediction) -> Path:
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

    def _there(self, path: Path, prediction: _Prediction) -> Path:
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

    def without(self, cases: Mapping[str, _Prediction]) -> Iterator[Fault]:
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
            there = {folder.name: folder for folder in _sub_folders(path) if names & {*list_images(folder)[0]}}
        else:
            there = list_images(path, pictures=any(each.is_picture for each in cases.values()))[0]
        for case in sorted(set(there) - set(cases)):
            yield fault(there[case], "no prediction for this reference", fix="nothing, if none is wanted", key=case)


def _sub_folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not passed_over(entry.name))
