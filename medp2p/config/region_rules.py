"""Rules on regions: their groups, their weights, and the one that decides."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from medp2p.config.rule import reads
from medp2p.config.section import RESERVED_REGIONS
from medp2p.config.strict_yaml import shown
from medp2p.errors import Fault
from medp2p.nearest import did_you_mean

if TYPE_CHECKING:
    from medp2p.config.schema import Config


BACKGROUND = "background"


@reads("regions", "data.files", "data.cases")
def weights_belong_to_regions(config: "Config") -> Iterator[Fault]:
    """A weight is that of a region that can be there."""
    known = known_regions(config)
    for name in config.regions.weights:
        if name in (RESERVED_REGIONS):
            fix = "give weights to regions of a label map; the rest of a slice weighs 1"
            yield config.fault(f"regions.weights.{name}", "no region of a label map", found=shown(name), fix=fix)
        elif known is not None and name not in (*known, BACKGROUND):
            yield _unknown_region(config, f"regions.weights.{name}", name, known)


@reads("regions")
def groups_join_regions(config: "Config") -> Iterator[Fault]:
    """A group joins regions that have names, under a name that is none of theirs."""
    names, groups = config.regions.names, config.regions.groups
    if groups and names is None:
        fix = "name the labels in regions.names, as {1: brain, 2: bone}"
        yield config.fault("regions.groups", "groups join regions by name, and no label has one", fix=fix)
    yield from refused_groups(config, names.values() if isinstance(names, Mapping) else None)


def refused_groups(config: "Config", names: Iterable[str] | None) -> Iterator[Fault]:
    """What is wrong with the groups of a configuration.

    Args:
        config: The configuration.
        names: Of the regions; None where they are not known yet.
    """
    named = tuple(dict.fromkeys(names or ()))
    for group, members in config.regions.groups.items():
        key = f"regions.groups.{group}"
        if group in (*RESERVED_REGIONS, *named):
            yield config.fault(key, "the name is taken", found=shown(group), fix="call the group otherwise")
        for member in members:
            if named and member not in named:
                fix = did_you_mean(member, named, f"regions are {', '.join(named)}")
                yield config.fault(key, "no region has this name", found=shown(member), fix=fix)


@reads("regions", "data.files", "data.cases", "evaluation.best_by")
def the_best_region_can_be_scored(config: "Config") -> Iterator[Fault]:
    """The region of best_by is one that scores.csv will have."""
    name, known = config.evaluation.best_by.region, known_regions(config)
    if name in ("weighted", "outside"):
        if not any(weight > 1 for weight in config.regions.weights.values()):
            fix = "give a region a weight above 1, or write body"
            yield config.fault("evaluation.best_by.region", f"`{name}` needs a region that weighs above 1", fix=fix)
    elif known is not None and name not in (*known, *RESERVED_REGIONS):
        yield _unknown_region(config, "evaluation.best_by.region", name, (*known, *RESERVED_REGIONS))


def known_regions(config: "Config") -> tuple[str, ...] | None:
    """The names that regions can have, () without label maps; None where only the files can tell."""
    data, names = config.data, config.regions.names
    if isinstance(data.cases, tuple):
        maps = max(len(entry.regions) for entry in data.cases)
    elif data.cases is None and data.folder is not None:
        maps = len(data.region_files)
    else:  # a CSV file, or a run's own configuration, without places
        return None
    if maps == 0:
        return ()
    if maps > 1 or not isinstance(names, Mapping):  # several files: a mask is called by its file
        return None
    return tuple(dict.fromkeys((*names.values(), *config.regions.groups)))


def _unknown_region(config: "Config", key: str, name: str, known: tuple[str, ...]) -> Fault:
    if not known_regions(config):
        fix = "name the label maps: data.files.regions, or regions of each listed case"
        return config.fault(key, "there are no label maps", found=shown(name), fix=fix)
    fix = did_you_mean(name, known, f"regions are {', '.join(known)}")
    return config.fault(key, "no region has this name", found=shown(name), fix=fix)


RULES = (
    weights_belong_to_regions,
    groups_join_regions,
    the_best_region_can_be_scored,
)
