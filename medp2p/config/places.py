"""The paths in a configuration: where they stand in it, and what they are relative to."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medp2p.config.origin import Origin
from medp2p.config.region_names import KNOWN_SETS
from medp2p.config.strict_yaml import YamlValue


def resolve_places(content: Mapping[str, YamlValue], origin: Origin, folders: tuple[Path, Path]) -> None:
    """Make every path absolute: those of the file against its folder, those of overrides against the other.

    `~` is the user's home, as in a shell.
    """
    for keys in _places(content):
        *way, last = keys
        at: Any = content
        for key in way:
            at = at[key]
        if isinstance(at[last], str) and at[last].strip() and "\0" not in at[last]:
            folder = folders[origin.override_of(keys) is not None]
            at[last] = str(absolute(folder / os.path.expanduser(at[last])))  # noqa: PTH111  # as it is without a home


def _places(content: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The keys under which a path stands."""
    data, regions, training = (section if isinstance(section := content.get(name), dict) else {} for name in
                               ("data", "regions", "training"))  # fmt: skip
    yield from (("data", key) for key in ("folder", "store", "cases") if isinstance(data.get(key), str))
    if isinstance(regions.get("names"), str) and regions["names"] not in KNOWN_SETS:
        yield "regions", "names"
    if isinstance(training.get("start_from"), str):
        yield "training", "start_from"
    for number, entry in enumerate(data["cases"] if isinstance(data.get("cases"), list) else ()):
        for key, value in entry.items() if isinstance(entry, dict) else ():
            if key in ("id", "split", "patient", "allow"):
                continue
            if isinstance(value, str):
                yield "data", "cases", number, key
            elif isinstance(value, list):
                yield from (("data", "cases", number, key, index) for index in range(len(value)))


def absolute(path: Path) -> Path:
    """The path from the root, without `..` where that names the same file (behind a link it may not)."""
    whole = Path.cwd() / path
    short = Path(os.path.normpath(whole))
    try:
        return short if os.path.realpath(short) == os.path.realpath(whole) else whole
    except ValueError:  # letters that the locale lacks: there is no such file
        return whole
