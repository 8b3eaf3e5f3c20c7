"""What can be wrong with a cohort although each of its cases is sound."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from medp2p.config import Config
from medp2p.config.section import RESERVED_REGIONS
from medp2p.data.cases import Case
from medp2p.data.checks import Findings
from medp2p.data.loading import LoadedCase
from medp2p.data.splits import TRAIN, VALIDATION
from medp2p.errors import Fault, fault
from medp2p.nearest import nearest
from medp2p.regions import BACKGROUND, Regions


@dataclass(frozen=True)
class SeenCase:
    """What is kept of a case that was read: enough to compare cases, no voxel.

    Attributes:
        case: Its files.
        hashes: SHA-256 of what each of them holds.
        regions: Names of the regions that its label maps can have.
        present: Those with a weight of their own that have a voxel.
        weighs: Whether any voxel has a weight above 0.
        empty: Whether it has label maps without a single label.
    """

    case: Case
    hashes: Mapping[str, str]
    regions: tuple[str, ...]
    present: frozenset[str]
    weighs: bool
    empty: bool = False

    @classmethod
    def of(cls, loaded: LoadedCase, config: Config) -> "SeenCase":
        """What is kept of a case."""
        regions = loaded.regions
        names = () if regions is None else regions.region_names
        wanted = weights_of(regions, config.regions.weights)
        present = frozenset() if regions is None else frozenset(name for name in wanted if regions.mask(name).any())
        weighs = regions is None or min(wanted.values(), default=1.0) > 0 or bool(regions.weight_map(wanted).any())
        empty = regions is not None and not any(layer.labels.any() for layer in regions.layers)
        return cls(loaded.case, loaded.hashes, names, present, weighs, empty)


def weights_of(regions: Regions | None, weights: Mapping[str, float]) -> dict[str, float]:
    """The weights of those regions that a case can have; none where it has no label map."""
    known = () if regions is None else (*regions.region_names, BACKGROUND)
    return {name: weight for name, weight in weights.items() if name in known}


def check_together(seen: Sequence[SeenCase], config: Config) -> Findings:
    """Faults and warnings that only show when cases are compared.

    Faults: one image in two splits, weights or a best region that no case can have, a training without a weighted
    voxel. Warnings: one image in two cases of a split, empty label maps, weighted
    regions without a voxel to train on.
    """
    repeated = list(_repeated_images(seen, tuple(config.data.images)))
    faults = [*dict.fromkeys(found for found in repeated if isinstance(found, Fault))]  # halves of one file: once
    warnings = [found for found in repeated if isinstance(found, str)]
    faults += [*_unknown_regions(seen, config), *_weightless(seen, config)]
    return Findings(tuple(faults), (*warnings, *_empty_maps(seen), *_absent_regions(seen, config)))


def _repeated_images(seen: Sequence[SeenCase], channels: Sequence[str]) -> Iterator[Fault | str]:
    of_image: dict[str, list[tuple[SeenCase, str]]] = defaultdict(list)
    for each in seen:
        for channel in channels:
            if channel in each.hashes:
                of_image[each.hashes[channel]].append((each, channel))
    for places in of_image.values():
        first, channel = places[0]
        others = [(other, name) for other, name in places[1:] if other.case.id != first.case.id]
        apart = [(other, name) for other, name in others if other.case.split != first.case.split]
        for other, name in apart:
            yield fault(
                other.case.files[name],
                f"the image of {other.case.id} ({other.case.split}) is that of {first.case.id} ({first.case.split})",
                key=other.case.id,
                expected="every image in one split: else the scores are too good",
                fix="remove one of the cases, or put both into one split",
            )
        if others and not apart:
            yield f"{channel} of {first.case.id} is also in {_listed([other.case.id for other, _ in others])}"


def _unknown_regions(seen: Sequence[SeenCase], config: Config) -> Iterator[Fault]:
    known = _regions_in(seen)
    for name in config.regions.weights:
        if seen and name not in (*known, BACKGROUND):
            yield _unknown(config, f"regions.weights.{name}", name, known)
    best, scored = config.evaluation.best_by.region, [each for each in seen if each.case.split == VALIDATION]
    can_be = (*RESERVED_REGIONS, *_regions_in(scored))
    if scored and best not in can_be:
        yield _unknown(config, "evaluation.best_by.region", best, can_be)


def _unknown(config: Config, key: str, name: str, known: Sequence[str]) -> Fault:
    near = nearest(name, known)
    return config.fault(
        key,
        "no case has a region of this name",
        found=name,
        expected=f"one of {', '.join(known)}" if known else "none: the cases have no label maps",
        fix=f"write {near}" if near else "correct the name, or give the cases their label maps (data.files.regions)",
    )


def _weightless(seen: Sequence[SeenCase], config: Config) -> Iterator[Fault]:
    training = [each for each in seen if each.case.split == TRAIN]
    if training and not any(each.weighs for each in training):
        yield config.fault(
            "regions.weights",
            "no voxel to train on has a weight above 0",
            found=", ".join(f"{name} {weight:g}" for name, weight in config.regions.weights.items()),
            fix="give a region that the training cases have a weight above 0",
        )


def _empty_maps(seen: Sequence[SeenCase]) -> Iterator[str]:
    empty = [each.case.id for each in seen if each.empty]
    if empty:
        yield f"no region at all in the label maps of {_listed(empty)}"


def _absent_regions(seen: Sequence[SeenCase], config: Config) -> Iterator[str]:
    training = [each for each in seen if each.case.split == TRAIN]
    for name in config.regions.weights:
        if training and name in _regions_in(training) and not any(name in each.present for each in training):
            yield f"{name} has a weight, but no voxel in the cases to train on"


def _listed(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _regions_in(seen: Sequence[SeenCase]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in seen for name in each.regions))
