"""The cases of a cohort: which files belong together, whose they are, and what is held out; no image is read here."""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medp2p.config import Config
from medp2p.data.case_folders import FoundCase, find_in_folder
from medp2p.data.picture_folders import find_pictures
from medp2p.data.splits import TEST, TRAIN, VALIDATION, split_patients
from medp2p.errors import ConfigError, Fault, fault

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Case:
    """The files of one scan session.

    Attributes:
        id: How results call it.
        patient: Whose it is; a patient is in one split only.
        split: `train`, `validation` or `test`.
        files: The file of each image, sources and targets; of pictures side by side one file for both.
        regions: Its label maps, each a layer of its own.
        body: Its mask of the body.
        allow: Checks that are waived for it.
    """

    id: str
    patient: str
    split: str
    files: Mapping[str, Path]
    regions: tuple[Path, ...] = ()
    body: Path | None = None
    allow: frozenset[str] = field(default_factory=frozenset)


def find_cases(config: Config, *, split: str | None = None) -> list[Case]:
    """Every case of a configuration, in the order of their ids; whatever is wrong is said at once.

    Args:
        config: A configuration with its cases.
        split: Only the cases of this split; of listed cases the files of others need not be there.

    Raises:
        ConfigError: No data, files that are missing, ids that cannot be file names, a patient in two splits, or
            nobody left to train on.
        FileError: The folder, or the list of cases, cannot be read.
    """
    cases, faults = listed_cases(config, split=split)
    if faults:
        raise ConfigError.several(faults)
    return cases


def listed_cases(config: Config, *, split: str | None = None) -> tuple[list[Case], list[Fault]]:
    """The cases whose files are there, in the order of their ids, and all that `find_cases` would refuse.

    Raises:
        ConfigError: The list of cases cannot be understood.
        FileError: The folder, or the list of cases, cannot be read.
    """
    cases, faults = _of_folder(config) if config.data.cases is None else _of_list(config, split)
    wanted = [case for case in cases if split in (None, case.split) and _is_there(case, config)]
    return sorted(wanted, key=lambda case: case.id), faults


def patient_of(case_id: str, pattern: str | None) -> str | None:
    r"""Whose case it is by its id: group 1 of the expression, the id itself without one, None where it does not match.

    Examples:
        >>> patient_of("p01_study2", r"^(p\d+)_"), patient_of("S01", None), patient_of("x", r"^(p\d)")
        ('p01', 'S01', None)
    """
    if pattern is None:
        return case_id
    match = re.search(pattern, case_id)
    return (match[1] or None) if match else None


def _of_folder(config: Config) -> tuple[list[Case], list[Fault]]:
    found, faults = find_pictures(config) if config.data.pictures else find_in_folder(config)
    _tell_what_lacks_masks(config, found)
    for case in found:
        faults += _missing(case.id, {**case.files, **_masks(case.regions, case.body)}, None)
    pattern = config.data.patient
    patients = {case.id: (pattern is None and case.patient) or patient_of(case.id, pattern) for case in found}
    faults += [_no_patient(config, case_id) for case_id, patient in patients.items() if patient is None]
    named = [(case, patients[case.id] or case.id) for case in found]
    if any(case.split for case in found):
        cases = [Case(c.id, patient, c.split or TRAIN, c.files, c.regions, c.body) for c, patient in named]
        key = "data.folder"
        return cases, [*faults, *_in_two_splits(config, cases, key), *_nobody_to_train_on(config, cases, key)]
    splits: dict[str, str] = {}
    try:
        share = config.data.fractions
        known = [patient for patient in patients.values() if patient is not None]
        if known and not faults:
            splits = split_patients(known, validation=share.validation, test=share.test, seed=config.training.seed)
    except ConfigError as error:
        place = config.fault("data.split", "", fix="")
        faults.append(replace(error.faults[0], path=place.path, line=place.line, key=place.key))
    return [
        Case(case.id, patient, splits.get(patient, TRAIN), case.files, case.regions, case.body)
        for case, patient in named
    ], faults


def _of_list(config: Config, split: str | None) -> tuple[list[Case], list[Fault]]:
    cases: list[Case] = []
    faults: list[Fault] = []
    for number, entry in enumerate(config.data.case_entries()):
        patient = entry.patient or patient_of(entry.id, config.data.patient)
        if patient is None:
            faults.append(_no_patient(config, entry.id))
        place = config.fault(f"data.cases.{number}", "", fix="") if not isinstance(config.data.cases, Path) else None
        if split in (None, entry.split):
            faults += _missing(entry.id, {**entry.files, **_masks(entry.regions, entry.body)}, place)
        files = {image: entry.files[image] for image in config.data.images if image in entry.files}
        cases.append(
            Case(entry.id, patient or entry.id, entry.split, files, entry.regions, entry.body, frozenset(entry.allow))
        )
    faults += [*_repeated(config, cases), *_in_two_splits(config, cases), *_nobody_to_train_on(config, cases)]
    return cases, faults


def _masks(regions: tuple[Path, ...], body: Path | None) -> dict[str, Path]:
    return {**{f"regions {n}": path for n, path in enumerate(regions, 1)}, **({"body": body} if body else {})}


def _is_there(case: Case, config: Config) -> bool:
    return set(config.data.images) <= set(case.files) and all(
        path.exists() for path in (*case.files.values(), *case.regions, *([case.body] if case.body else []))
    )


def _missing(case_id: str, files: Mapping[str, Path], place: Fault | None) -> Iterator[Fault]:
    for role, path in files.items():
        if not path.exists():
            listed = f" (listed in {place.path}:{place.line})" if place and place.path and place.line else ""
            broken = os.path.lexists(path)
            cause = "a link to a file that is not there" if broken else f"there is no such file{listed}"
            fix = "bring the file to where the link leads" if broken else "correct the path"
            yield fault(path, cause, key=f"{case_id}: {role}", fix=fix)


def _repeated(config: Config, cases: list[Case]) -> Iterator[Fault]:
    ids = [case.id for case in cases]
    for case_id in sorted({each for each in ids if ids.count(each) > 1}):
        yield config.fault(
            "data.cases", "one id for several cases", found=f"{case_id} {ids.count(case_id)} times", fix="rename them"
        )


def _in_two_splits(config: Config, cases: list[Case], key: str = "data.cases") -> Iterator[Fault]:
    of_patient: dict[str, dict[str, str]] = defaultdict(dict)
    for case in cases:
        of_patient[case.patient].setdefault(case.split, case.id)
    for patient, splits in sorted(of_patient.items()):
        if len(splits) > 1:
            shown = ", ".join(f"{case_id} in {split}" for split, case_id in sorted(splits.items()))
            yield config.fault(
                key,
                f"patient {patient} is in two splits, so the scores would be too good",
                found=shown,
                expected="every scan of a patient in one split",
                fix="move its cases into one split",
            )


def _nobody_to_train_on(config: Config, cases: list[Case], key: str = "data.cases") -> Iterator[Fault]:
    if not any(case.split == TRAIN for case in cases):
        numbers = ", ".join(f"{sum(case.split == split for case in cases)} {split}" for split in (TEST, VALIDATION))
        yield config.fault(key, "no case is left to train on", found=numbers, fix="give a case the split train")


def _no_patient(config: Config, case_id: str) -> Fault:
    return config.fault(
        "data.patient",
        "the expression finds no patient in a case id",
        found=case_id,
        expected=config.data.patient,
        fix="correct the expression, or rename the case",
    )


def _tell_what_lacks_masks(config: Config, found: list[FoundCase]) -> None:
    """Masks are optional, so a case without one is no fault; it may be a slip all the same, so it is told."""
    regions, body = config.data.region_files, config.data.body_file
    for name, files, lacking in (
        ("regions", regions, [case.id for case in found if len(case.regions) < len(regions)]),
        ("body", [body] if body else [], [case.id for case in found if case.body is None]),
    ):
        if files and lacking and len(lacking) < len(found):
            log.warning("no %s file in %s", name, ", ".join(lacking))
        elif files and lacking:
            log.info("no case has %s, the optional data.files.%s", " and ".join(files), name)
