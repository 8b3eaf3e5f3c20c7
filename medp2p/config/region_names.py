"""The key `regions.names`: label → name, name → label or labels, a file of such a table, or a known set by one word."""

from collections.abc import Mapping
from pathlib import Path

from medp2p.config.section import RefusalError
from medp2p.config.strict_yaml import YamlValue, shown
from medp2p.errors import RegionError

KNOWN_SETS = ("totalsegmentator",)
RegionNames = Mapping[int, str] | Path | str | None


def parse_region_names(value: object) -> RegionNames:
    """Label → name, whichever way round it was written; a Path for a file, a word of `KNOWN_SETS` as it is.

    Raises:
        RefusalError: It is none of them, or a label or name in it is refused.

    Examples:
        >>> parse_region_names({"1": "brain"}), parse_region_names({"bone": [2, 5], "background": 0})
        ({1: 'brain'}, {0: 'background', 2: 'bone', 5: 'bone'})
    """
    if value is None or value == {} or isinstance(value, Path):
        return value or None
    if isinstance(value, str) and value.strip():
        return value if value in KNOWN_SETS else Path(value)
    if not isinstance(value, Mapping):
        fix = "write {1: brain, 2: bone}, or the path of a label table"
        raise RefusalError("no names of regions", found=shown(value), expected="a mapping or a file", fix=fix)
    return _table(value)[0]


def with_groups_apart(regions: dict[str, YamlValue]) -> None:
    """Move what is a group in `names` to `groups`, in place; what is refused stays for the validation to say.

    Examples:
        >>> regions = {"names": {"edema": 1, "core": 2, "tumour": [1, 2]}}
        >>> with_groups_apart(regions)
        >>> regions
        {'names': {'1': 'edema', '2': 'core'}, 'groups': {'tumour': ['edema', 'core']}}
    """
    names, groups = regions.get("names"), regions.get("groups")
    if not isinstance(names, dict) or not names or not isinstance(groups, dict | None):
        return
    try:
        table, found = _table(names)
    except RefusalError:
        return
    regions["names"] = {str(label): name for label, name in table.items()}
    if found:
        written: dict[str, YamlValue] = {name: list(members) for name, members in found.items()}
        regions["groups"] = written | (groups or {})


def _table(value: Mapping[str, object]) -> tuple[dict[int, str], dict[str, list[str]]]:
    from medp2p.io.label_names import label_names  # here: files of images, and numpy, come with it

    try:
        return label_names(value)
    except RegionError as error:
        cause, _, fix = error.faults[0].message.partition(". Fix: ")
        key = error.faults[0].key
        raise RefusalError(f"{key}: {cause}" if key else cause, fix=fix) from error
