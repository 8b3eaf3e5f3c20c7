"""Pairs of pictures that lie in a folder: two folders with equal names, or both halves in one; train, val and test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medp2p.config import Config, missing_data
from medp2p.config.section import case_id, check_word
from medp2p.data.case_folders import FoundCase
from medp2p.data.splits import TEST, TRAIN, VALIDATION
from medp2p.errors import Fault, fault
from medp2p.io import list_images

SPLIT_FOLDERS = {"train": TRAIN, "val": VALIDATION, "validation": VALIDATION, "test": TEST}
"""Folders that say which split their pictures are of, as the reference has them."""
_REGIONS = "regions"


@dataclass(frozen=True)
class _Place:
    """Where the pictures of one split are: a folder for each role, `regions` among them."""

    split: str | None
    word: str
    folders: Mapping[str, Path]


def find_pictures(config: Config) -> tuple[list[FoundCase], list[Fault]]:
    """The pairs of `data.folder` in the order of their names, and everything that is wrong with them.

    Either of these, with `train`, `val` and `test` or without, these folders outside or inside the others:

        train/label/1.png  train/photo/1.png          a folder for each picture, equal names
        train/1.png                                   both halves in one, `data.side_by_side`

    With such folders a case is called `train_1`, since the reference uses a name in each of them.

    Raises:
        FileError: A folder cannot be read.
    """
    absent, folder = missing_data(config), config.data.folder
    if absent is not None or folder is None:
        return [], [absent or config.fault("data.folder", "no folder of pictures", fix="name one, or list data.cases")]
    cases: list[FoundCase] = []
    faults: list[Fault] = []
    for place in _places(folder, config):
        found, wrong = _pairs(place, config)
        cases += found
        faults += wrong
    if not cases and not faults:
        faults.append(_nothing(config, folder))
    return sorted(cases, key=lambda case: case.id), faults


def _places(folder: Path, config: Config) -> list[_Place]:
    """The folders of each split, or of all pictures where there are no splits."""
    roles = _roles(config)
    words = [word for word in SPLIT_FOLDERS if (folder / word).is_dir()]
    if words:
        return [_Place(SPLIT_FOLDERS[w], w, {role: folder / w / name for role, name in roles.items()}) for w in words]
    first = folder / next(iter(roles.values()))
    words = [word for word in SPLIT_FOLDERS if (first / word).is_dir()]
    if words:
        return [_Place(SPLIT_FOLDERS[w], w, {role: folder / name / w for role, name in roles.items()}) for w in words]
    return [_Place(None, "", {role: folder / name for role, name in roles.items()})]


def _roles(config: Config) -> dict[str, str]:
    """The folder of each role: of pictures, of both halves under the empty name, of labels."""
    data = config.data
    pictures = {"": "."} if data.side_by_side else {name: data.file_of(name) for name in data.images}
    return pictures | {f"{_REGIONS} {number}": name for number, name in enumerate(data.region_files)}


def _pairs(place: _Place, config: Config) -> tuple[list[FoundCase], list[Fault]]:
    """The cases of a split, and pictures without their partners."""
    listed: dict[str, dict[str, Path]] = {}
    faults: list[Fault] = []
    for role, folder in place.folders.items():
        if not folder.is_dir():
            if not role.startswith(_REGIONS):
                faults.append(_no_folder(config, role, folder))
            continue
        listed[role], wrong = list_images(folder, pictures=True)
        faults += wrong
    needed = [role for role in place.folders if not role.startswith(_REGIONS)]
    twice = {path for each in faults for path in [each.path]}
    cases = []
    for stem in sorted({stem for role in needed for stem in listed.get(role, {})}):
        here = {role: listed[role][stem] for role in listed if stem in listed[role]}
        missing = [role for role in needed if role in listed and role not in here]
        known = next(here[role] for role in needed if role in here)
        name = f"{place.word}_{stem}" if place.word else stem
        lacking = [place.folders[role] for role in missing if not _claimed(place.folders[role], stem, twice)]
        faults += [*_partners(known, stem, lacking), *_unusable_name(known, name)]
        if not missing and len(listed) >= len(needed):
            cases.append(_case(name, here, place.split, config))
    return cases, faults


def _claimed(folder: Path, stem: str, twice: set[str | None]) -> bool:
    """Whether a picture is missing only because two files have its name, which was said."""
    return any(path and Path(path).parent == folder and Path(path).stem == stem for path in twice)


def _case(name: str, here: Mapping[str, Path], split: str | None, config: Config) -> FoundCase:
    halves = config.data.side_by_side
    files = dict.fromkeys(config.data.images, here[""]) if halves else {n: here[n] for n in config.data.images}
    return FoundCase(
        name, files, tuple(path for role, path in here.items() if role.startswith(_REGIONS)), None, split=split
    )


def _partners(known: Path, stem: str, folders: list[Path]) -> Iterator[Fault]:
    for folder in folders:
        yield fault(
            known,
            "the partner of this picture is missing",
            expected=f"{folder / stem}.*",
            fix="put it there, or take this one away",
        )


def _unusable_name(path: Path, name: str) -> Iterator[Fault]:
    if check_word(case_id, name):
        yield fault(
            path,
            "the name of the picture cannot be a case id",
            expected="up to 64 letters, digits, `.`, `_` and `-`, no dot first, no `..`",
            fix="rename it, and its partner: results are named after it",
        )


def _no_folder(config: Config, role: str, folder: Path) -> Fault:
    fix = f"make it, name it in data.files.{role}, or write data.side_by_side where a picture holds both halves"
    return config.fault(f"data.files.{role}", "there is no such folder of pictures", found=folder, fix=fix)


def _nothing(config: Config, folder: Path) -> Fault:
    halves = config.data.side_by_side
    expected = "pictures with both halves" if halves else f"pictures in {', '.join(_roles(config).values())}"
    return config.fault("data.folder", "no picture is in the folder", found=folder, expected=expected,
                        fix="put pictures there, or name another folder with `--set data.folder=DIR`")  # fmt: skip
