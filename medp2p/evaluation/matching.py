"""Which files belong to one case: a file, folders that match by name, folders of cases, patterns with {case}."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import fspath
from pathlib import Path

from medp2p.errors import Fault, FileError, Medp2pError, fault, tried
from medp2p.evaluation.patterns import refuse_unknown_placeholders
from medp2p.evaluation.predictions import Prediction, Source, find_predictions
from medp2p.evaluation.role import Role
from medp2p.io import image_files, image_stem, read_volume
from medp2p.io.picture_halves import cut_half
from medp2p.picture import is_picture
from medp2p.volume import Volume


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
        reference_half: The half of the reference's picture that is the reference, where both of a pair lie in it.
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
    reference_half: str | None = None

    def read_reference(self) -> Volume:
        """The reference, or the half that it is.

        Raises:
            FileError: It cannot be read or halved, or is no picture.
        """
        volume = read_volume(self.reference)
        if self.reference_half is None:
            return volume
        if not is_picture(volume):
            raise FileError(self.reference, "only a picture has halves", key="--reference-half",
                            fix="leave --reference-half out")  # fmt: skip
        return cut_half(self.reference, volume, self.reference_half)

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
        predicted: An image file; a folder with a DICOM series; a folder of image files; a folder of case folders with
            one image each; or a pattern.
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
    given, faults = find_predictions(predicted)
    found = {role: Role(role, fspath(source), given) for role, source in roles.items() if source is not None}
    cases = []
    for prediction in given.cases.values():
        case = tried(faults, _case, prediction, found)
        if case is not None:
            cases.append(case)
    if not cases and not faults:
        raise FileError(predicted, "no image here", fix="give an image file, a folder of them or a pattern with {case}")
    faults = [*dict.fromkeys(faults)]  # what is wrong with an argument is wrong for every case
    if not cases:
        raise FileError.several(faults)
    unused = found["-r"].without(given.cases)
    return Matched(tuple(cases), tuple(faults), tuple(unused))


def _case(prediction: Prediction, roles: Mapping[str, Role]) -> CaseFiles:
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
