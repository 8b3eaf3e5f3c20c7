"""A whole cohort before training: every file read once, everything checked, every fault told, every plane prepared."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from medp2p.config import Config, refused_groups
from medp2p.data.cases import Case, listed_cases
from medp2p.data.checks import Findings, check_case
from medp2p.data.cohort_checks import SeenCase, check_together
from medp2p.data.entry import Entry
from medp2p.data.intensity import cohort_limits
from medp2p.data.loading import LoadedCase, load_case
from medp2p.data.picture_cases import with_seen_pictures
from medp2p.data.prepared import PreparedCase
from medp2p.data.region_files import Names
from medp2p.data.splits import TRAIN
from medp2p.data.store import PlaneStore
from medp2p.errors import ConfigError, Fault, Medp2pError, listed, tried
from medp2p.io import read_label_table

log = logging.getLogger(__name__)
Progress = Callable[[int, int, str], None]
_MOST_IN_A_LINE = 12


@dataclass(frozen=True)
class Cohort:
    """The cases of a configuration, checked; those to train on, prepared.

    Attributes:
        cases: All of them, in the order of their ids.
        hashes: Of each case, SHA-256 of what each of its files holds.
        names: The name of each label, where the configuration has any.
        prepared: The planes of each case to train on.
    """

    cases: tuple[Case, ...]
    hashes: Mapping[str, Mapping[str, str]]
    names: Mapping[int, str] | None
    prepared: Mapping[str, Entry] = field(default_factory=dict)

    def split(self, name: str) -> list[Case]:
        """The cases that are `train`, `validation` or `test`."""
        return [case for case in self.cases if case.split == name]

    def entries(self, split: str = TRAIN) -> list[Entry]:
        """The planes of the cases of a split that were prepared, in the order of their ids."""
        return [self.prepared[case.id] for case in self.split(split) if case.id in self.prepared]

    def target_limits(self) -> dict[str, tuple[float, float]]:
        """Of each channel the medians of what its map was fitted to in the scans to train on."""
        fitted = [entry.limits for entry in self.entries()]
        medians = {name: cohort_limits(each[name] for each in fitted) for name in (fitted[0] if fitted else ())}
        return {name: (limits.low, limits.high) for name, limits in medians.items()}


def check_cohort(config: Config, *, progress: Progress | None = None) -> Findings:
    """Everything that is wrong with the cases of a configuration, and everything that is odd; nothing is written."""
    try:
        config = with_seen_pictures(config)
        (cases, faults), (names, groups) = listed_cases(config), label_table(config)
    except Medp2pError as error:
        return Findings(error.faults, ())
    found = _read_all(cases, config, _with_groups(names, groups), progress)[1]
    for split in (TRAIN, "validation", "test"):
        ids = [case.id for case in cases if case.split == split]
        log.info("%s: %s", split, listed(ids, _MOST_IN_A_LINE) or "no case")
    return Findings((*faults, *found.faults), found.warnings)


def prepare_cohort(config: Config, *, store: str | os.PathLike[str], progress: Progress | None = None) -> Cohort:
    """Check every case, and prepare those to train on; each file is read once.

    Args:
        config: A configuration with its cases; of pictures, as `with_seen_pictures` gives it.
        store: The folder of prepared planes.
        progress: Called with cases done, cases in all and what is being done.

    Raises:
        ConfigError: Whatever is wrong with any case, every fault at once; warnings go to the log.
        FileError: The store cannot be written.
    """
    (cases, faults), (names, groups) = listed_cases(config), label_table(config)
    preparing = _Preparing(PlaneStore(store), config)
    prepare = None if faults else preparing
    seen, findings = _read_all(cases, config, _with_groups(names, groups), progress, prepare)
    for warning in findings.warnings:
        log.warning("%s", warning)
    preparing.store.tell()
    if faults or findings.faults:
        raise ConfigError.several((*faults, *findings.faults))
    hashes = {each.case.id: each.hashes for each in seen}
    return Cohort(tuple(cases), hashes, names or None, preparing.entries)


def label_table(config: Config) -> tuple[Mapping[int, str], Mapping[str, Sequence[str]]]:
    """The names of labels and their groups, as the configuration or the file that it names has them; empty if none.

    Raises:
        Medp2pError: The file is refused, or a group of the configuration joins names that it lacks.
    """
    names = config.regions.names
    if names is None or isinstance(names, Mapping):
        return names or {}, config.regions.groups
    table, groups = read_label_table(names)
    if refused := list(refused_groups(config, table.values())):
        raise ConfigError.several(refused)
    return table, {**groups, **config.regions.groups}


def _with_groups(names: Mapping[int, str], groups: Mapping[str, Sequence[str]]) -> dict[object, object] | None:
    """The whole label table as one mapping, the form in which files are read with it."""
    table: dict[object, object] = dict(names.items())
    return (table | ({"groups": groups} if groups else {})) or None


def _read_all(
    cases: Sequence[Case],
    config: Config,
    names: Names,
    progress: Progress | None,
    preparing: "_Preparing | None" = None,
) -> tuple[list[SeenCase], Findings]:
    """Every case, one after the other, so that only one is in memory; once one is refused none is prepared."""
    faults: list[Fault] = []
    warnings: list[str] = []
    seen: dict[str, SeenCase] = {}
    sound: dict[object, str] = {}
    for number, case in enumerate(cases):
        if progress:
            progress(number, len(cases), f"checking {case.id}")
        files = _identity(case)
        if files in sound:
            seen[case.id] = replace(seen[sound[files]], case=case)
            if preparing:
                preparing.same(case, sound[files])
            continue
        loaded = tried(faults, load_case, case, config, names)
        if loaded is None:
            continue
        found = check_case(loaded, config)
        faults += found.faults
        warnings += found.warnings
        if not found.faults:
            seen[case.id] = SeenCase.of(loaded, config)
        if not found.faults and not found.warnings and files:
            sound[files] = case.id
        if preparing and not faults and case.split == TRAIN:
            preparing(loaded)
    if progress:
        progress(len(cases), len(cases), "checking")
    together = check_together(list(seen.values()), config)
    return list(seen.values()), Findings((*faults, *together.faults), (*warnings, *together.warnings))


def _identity(case: Case) -> object:
    """What the system says of the files of a case: equal where two cases are links to the same, which is read once."""
    paths = [*case.files.values(), *case.regions, *([case.body] if case.body else [])]
    if len(case.regions) > 1 or not all(path.is_file() for path in paths):
        return None
    known = [path.stat() for path in paths]
    return case.split, case.allow, *((each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns) for each in known)


class _Preparing:
    """Puts cases into a store."""

    def __init__(self, store: PlaneStore, config: Config) -> None:
        self.store, self.config = store, config
        self.entries: dict[str, Entry] = {}

    def __call__(self, loaded: LoadedCase) -> None:
        made_of = {*self.config.data.images, *(["body"] if self.config.preparation.mask_outside_body else [])}
        made_of |= {"regions"} if self.config.regions.weights else set()
        self.entries[loaded.case.id] = self.store.entry(
            loaded.case.id,
            lambda: self._planes(loaded),
            settings=preparation_settings(self.config),
            content={name: each for name, each in loaded.hashes.items() if name in made_of},
            place=os.fspath(next(iter(loaded.case.files.values())).parent.absolute()),
        )

    def same(self, case: Case, other: str) -> None:
        """A case of the same files as another one has its planes."""
        if other in self.entries:
            self.entries[case.id] = replace(self.entries[other], case=case.id)

    def _planes(self, loaded: LoadedCase) -> PreparedCase:
        from medp2p.data.transforms import prepare  # MONAI takes seconds to load: only where a case must be prepared

        return prepare(loaded, self.config)


def preparation_settings(config: Config) -> dict[str, object]:
    """What of a configuration decides on prepared planes, as plain values."""
    channels, preparing = config.data.channels, config.preparation
    return {
        "sources": list(config.data.sources),
        "targets": list(config.data.target),
        "plane": preparing.plane,
        "spacing_mm": preparing.spacing_mm and list(preparing.spacing_mm),
        "mask_outside_body": preparing.mask_outside_body,
        "intensity": {name: config.intensity[name].model_dump(mode="json") for name in channels},
        "weights": dict(config.regions.weights),
    } | ({"resize": list(preparing.resize)} if preparing.resize else {})
