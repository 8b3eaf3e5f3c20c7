"""A configuration file and its overrides → Config, or every fault at once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from medp2p.config.intensity_section import filled_in
from medp2p.config.messages import message_of, place_of, unknown_key
from medp2p.config.origin import Origin
from medp2p.config.overrides import Override, apply, read_overrides
from medp2p.config.places import resolve_places
from medp2p.config.region_names import with_groups_apart
from medp2p.config.rules import RULES
from medp2p.config.schema import Config
from medp2p.config.section import one_or_several
from medp2p.config.strict_yaml import KeyPath, YamlValue, scan_yaml, shown
from medp2p.config.text_file import read_text
from medp2p.errors import ConfigError, Fault

SECTIONS = tuple(Config.model_fields)


def _elsewhere() -> dict[str, str]:
    """Of every key of a section, the dotted names under which it is known."""
    known: dict[str, list[str]] = {}
    for name, field in Config.model_fields.items():
        for key in getattr(field.annotation, "model_fields", {}):
            known.setdefault(key, []).append(f"{name}.{key}")
    return {key: " and as ".join(names) for key, names in known.items()}


_ELSEWHERE = _elsewhere()


def load_config(
    path: str | PathLike[str], overrides: Sequence[str] = (), *, places: bool = True, folder: str | PathLike[str] = "."
) -> Config:
    """Read a configuration, replace keys, and check it by itself; no scan is looked at.

    Args:
        path: The YAML file. Relative paths in it are relative to its folder.
        overrides: `section.key=VALUE`, as after `--set`.
        places: Whether it must say where the cases are; a run folder's own config.yaml does not.
        folder: What relative paths in overrides are relative to.

    Returns:
        The configuration with everything filled in and every path absolute.

    Raises:
        FileError: There is no such file.
        ConfigError: It is refused; every fault with its line and the nearest known key.
    """
    document, faults = scan_yaml(read_text(path), fspath(path))
    changes, more = read_overrides(overrides)
    origin = Origin(fspath(path), document.lines, {change.keys: change.option for change in changes})
    if not isinstance(document.content, dict):
        faults.append(origin.fault((), "no sections in it", found=shown(document.content), fix="begin with `data:`"))
        raise ConfigError.several(faults)
    return _built(document.content, changes, [*faults, *more], origin, (Path(path).parent, Path(folder)), places)


def config_from_mapping(
    content: Mapping[str, Any], overrides: Sequence[str] = (), *, places: bool = True, folder: str | PathLike[str] = "."
) -> Config:
    """The same for a configuration that is plain data already, or all overrides; paths are relative to `folder`.

    Raises:
        ConfigError: It is refused, with every fault.

    Examples:
        >>> config = config_from_mapping({"data": {"sources": "mr", "target": "ct", "folder": "/scans"}})
        >>> config.data.channels, config.intensity["ct"].hu, config.training.epochs
        (('mr', 'ct'), True, 100)
    """
    changes, faults = read_overrides(overrides)
    origin = Origin(None, {}, {change.keys: change.option for change in changes})
    plain = json.loads(json.dumps(content, default=fspath))
    return _built(plain, changes, faults, origin, (Path(folder), Path(folder)), places)


def _built(
    content: dict[str, YamlValue],
    changes: Sequence[Override],
    faults: list[Fault],
    origin: Origin,
    folders: tuple[Path, Path],
    places: bool,
) -> Config:
    faults += [found for change in changes if (found := apply(change, content)) is not None]
    unread = {fault.key for fault in faults if fault.key}
    resolve_places(content, origin, folders)
    _fill_in(content)
    checking = _Checking(content, origin)
    faults += [found for found in checking.faults if found.key not in unread]
    faults += checking.broken_rules()
    if places and not checking.is_refused("data"):
        faults += _without_cases(content, origin)
    if faults or checking.config is None:
        raise ConfigError.several(sorted(faults, key=lambda fault: fault.line or 0))
    return checking.config


class _Checking:
    """Every section on its own, then the rules that join those that are sound."""

    def __init__(self, content: dict[str, YamlValue], origin: Origin) -> None:
        self.origin = origin
        self.faults: list[Fault] = []
        self.refused: set[KeyPath] = set()
        for name in [name for name in content if name not in SECTIONS]:
            self._refuse((name,), *unknown_key(name, SECTIONS, _ELSEWHERE))
        sections = {name: self._section(name, content.get(name)) for name in SECTIONS}
        self.sound = all(section is not None for section in sections.values())
        whole = Config.model_construct(**{name: value for name, value in sections.items() if value is not None})
        self.whole = whole.with_origin(origin)

    @property
    def config(self) -> Config | None:
        return self.whole if self.sound and not self.faults else None

    def is_refused(self, key: str) -> bool:
        """Whether a key, something around it or something in it is refused already."""
        keys = tuple(key.split("."))
        return any(keys[: len(bad)] == bad or bad[: len(keys)] == keys for bad in self.refused)

    def broken_rules(self) -> Iterator[Fault]:
        for rule in RULES:
            if not any(map(self.is_refused, rule.keys)):
                yield from rule.check(self.whole)

    def _section(self, name: str, written: YamlValue) -> Any:
        """A section; where keys in it are refused, it is made of the others, so that rules can still be tried."""
        field = Config.model_fields[name]
        if written is None and name != "data":
            return field.get_default(call_default_factory=True)
        if written is None:
            self._refuse((name,), "it is missing", None, None, "write data: with sources, target and folder or cases")
            return None
        section, errors = _validated(field.annotation, written)
        for error in errors:
            keys = place_of(error, written)
            self._refuse((name, *keys), *message_of(error, Config, (name, *keys), _ELSEWHERE))
        if errors and isinstance(written, dict):
            bad = {place_of(error, written)[:1] for error in errors}
            section, _ = _validated(
                field.annotation, {key: value for key, value in written.items() if (key,) not in bad}
            )
        if section is None:
            self.refused.add((name,))
        return section

    def _refuse(self, keys: KeyPath, cause: str, found: str | None, expected: str | None, fix: str) -> None:
        if keys not in self.refused:
            self.refused.add(keys)
            self.faults.append(self.origin.fault(keys, cause, found=found, expected=expected, fix=fix))


def _validated(kind: Any, written: YamlValue) -> tuple[Any, list[ErrorDetails]]:
    """A section by pydantic's strict rules for JSON, where a list is a tuple and 1 is a number."""
    try:
        return TypeAdapter(kind).validate_json(json.dumps(written)), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
        return None, [each for each in errors if not _lacks_refused_entries(each, errors)]


def _lacks_refused_entries(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Whether a list is called too short only because entries of it were refused, each of which is told by itself."""
    at = error["loc"]
    return error["type"] == "too_short" and any(other["loc"][: len(at)] == at != other["loc"] for other in errors)


def _without_cases(content: Mapping[str, YamlValue], origin: Origin) -> Iterator[Fault]:
    data = content.get("data")
    if isinstance(data, dict) and data.get("folder") is None and data.get("cases") is None:
        fix = "write data.folder with one sub-folder per case, or data.cases"
        yield origin.fault(("data",), "neither folder nor cases: there is nothing to learn from", fix=fix)


def _fill_in(content: dict[str, YamlValue]) -> None:
    """What depends on other keys: the maps of channels by their names, the files and shares of a folder of cases."""
    data = content.get("data")
    if not isinstance(data, dict):
        return
    channels = [
        name
        for key in ("sources", "target")
        for name in (one_or_several(data.get(key)) or ())  # type: ignore[attr-defined]  # other types end as faults
        if isinstance(name, str)
    ] if all(isinstance(data.get(key), (str, list)) for key in ("sources", "target")) else []  # fmt: skip
    if isinstance(regions := content.get("regions"), dict):
        with_groups_apart(regions)
    pictures = data.get("kind") == "pictures"
    intensity = content.get("intensity")
    if intensity is None or isinstance(intensity, dict):  # what a picture's map is, its depth says
        content["intensity"] = filled_in(intensity or {}, [] if pictures else channels)
    preparation = content.get("preparation")
    if pictures and (preparation is None or isinstance(preparation, dict)):
        defaults: dict[str, YamlValue] = {"spacing_mm": None, "mask_outside_body": False}
        content["preparation"] = defaults | (preparation or {})
    if data.get("folder") is not None and data.get("cases") is None:
        files = data.get("files")
        if data.get("layout") in (None, "folders") and (files is None or isinstance(files, dict)):
            named: dict[str, YamlValue] = {} if pictures else {name: f"{name}.nii.gz" for name in channels}
            data["files"] = named | {name: file for name, file in (files or {}).items() if file is not None}
        if data.get("split") is None:
            data["split"] = {}
