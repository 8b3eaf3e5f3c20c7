"""The key `regions.names`: label → name, name → label or labels, a file of such a table, or a known set by one word."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from medp2p.config.section import RESERVED_REGIONS, RefusalError
from medp2p.config.strict_yaml import shown

KNOWN_SETS = ("totalsegmentator",)
LARGEST_LABEL = 2**31 - 1
RegionNames = Mapping[int, str] | Path | str | None


def parse_region_names(value: object) -> RegionNames:
    """Label → name, whichever way round it was written; a Path for a file, a word of `KNOWN_SETS` as it is.

    Raises:
        RefusalError: It is none of them, or a label or name in it is refused.

    Examples:
        >>> parse_region_names({"1": "brain"}), parse_region_names({"bone": [2, 5], "background": 0})
        ({1: 'brain'}, {2: 'bone', 5: 'bone', 0: 'background'})
    """
    if value is None or isinstance(value, Path):
        return value
    if isinstance(value, str) and value.strip():
        return value if value in KNOWN_SETS else Path(value)
    if not isinstance(value, Mapping):
        fix = "write {1: brain, 2: bone}, or the path of a label table"
        raise RefusalError("no names of regions", found=shown(value), expected="a mapping or a file", fix=fix)
    names: dict[int, str] = {}
    for label, name in _pairs(value):
        if names.setdefault(label, name) != name:
            found = f"{label}: {shown(names[label])} and {shown(name)}"
            raise RefusalError("one label has two names", found=found, fix="keep one name for a label")
    return names


def _pairs(table: Mapping[object, object]) -> Iterator[tuple[int, str]]:
    for key, value in table.items():
        text = str(key)
        if isinstance(value, str):
            yield _label(text), _name(value)
        elif isinstance(value, list):
            yield from ((_label(entry), _name(text)) for entry in value)
        else:
            yield _label(value), _name(text)


def _label(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) > LARGEST_LABEL:
        raise RefusalError(
            "no label of a region", found=shown(value), expected="a whole number from 0 on", fix="write label: name"
        )
    return int(text)


def _name(name: str) -> str:
    if not name.strip() or any(ord(character) < 32 for character in name) or len(name) > 200:
        raise RefusalError("no name of a region", found=shown(name), fix="write a word without control characters")
    if name in RESERVED_REGIONS:
        fix = f"call it otherwise: {', '.join(RESERVED_REGIONS)} are rows of every score table"
        raise RefusalError("a reserved name", found=shown(name), fix=fix)
    return name
