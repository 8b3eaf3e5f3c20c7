"""pydantic's complaints in the words of medp2p: cause, what was found, what was expected, and the cure."""

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from medp2p.config.section import RefusalError
from medp2p.config.strict_yaml import KeyPath, shown
from medp2p.nearest import did_you_mean, nearest

Message = tuple[str, str | None, str | None, str]
"""Cause, found, expected, fix."""

_KINDS = {
    "int_type": "a whole number", "int_from_float": "a whole number", "int_parsing": "a whole number",
    "float_type": "a number", "float_parsing": "a number", "string_type": "text, in quotes if it looks like a number",
    "bool_type": "true or false", "path_type": "a path", "finite_number": "a finite number",
    "tuple_type": "a list", "list_type": "a list", "mapping_type": "keys with values", "dict_type": "keys with values",
    "model_type": "keys with values", "model_attributes_type": "keys with values",
}  # fmt: skip
_BOUNDS = {
    "greater_than": "above {gt}", "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}", "less_than_equal": "at most {le}",
    "too_long": "at most {max_length} entries", "too_short": "at least {min_length} entries",
    "string_too_long": "at most {max_length} characters", "string_too_short": "at least {min_length} characters",
    "literal_error": "{expected}",
}  # fmt: skip


def unknown_key(word: str, known: Sequence[str], elsewhere: Mapping[str, str] | None = None) -> Message:
    """The message for a key that does not exist.

    Args:
        word: The key as written.
        known: The keys that may stand there.
        elsewhere: Keys of other sections, and the dotted names of each.
    """
    if elsewhere and word in elsewhere and nearest(word, known) is None:
        return "unknown key here", shown(word), None, f"it is known as {elsewhere[word]}: move it there"
    fix = did_you_mean(word, known, f"remove it; known here are {', '.join(known)}")
    return "unknown key", shown(word), None, fix


def place_of(error: ErrorDetails, written: object) -> KeyPath:
    """The keys of an error as the file has them, without pydantic's own names for branches of a union."""
    keys: list[str] = []
    at = written
    for number, part in enumerate(error["loc"]):
        if isinstance(at, dict) and str(part) in at:
            at = at[str(part)]
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            at = at[part]
        elif not (error["type"] == "missing" and number == len(error["loc"]) - 1):
            continue
        keys.append(str(part))
    return tuple(keys)


def message_of(error: ErrorDetails, model: type[BaseModel], keys: KeyPath, elsewhere: Mapping[str, str]) -> Message:
    """What is wrong with a key, in our words."""
    kind, context = error["type"], error.get("ctx", {})
    refusal = context.get("error")
    if isinstance(refusal, RefusalError):
        return refusal.cause, None if refusal.found is None else str(refusal.found), refusal.expected, refusal.fix
    if kind == "extra_forbidden":
        owner = model_at(model, keys[:-1])
        return unknown_key(keys[-1], list(owner.model_fields) if owner else [], elsewhere)
    owner = model_at(model, keys[:-1])
    if owner is not None and owner.model_config.get("extra") == "allow" and keys[-1] not in owner.model_fields:
        fix = did_you_mean(keys[-1], owner.model_fields, "write a path")
        return "no path of a file", shown(error["input"]), None, fix
    wanted = _wanted(field_at(model, keys))
    if kind == "missing":
        return "it is missing", None, None, f"add it: {wanted}"
    expected = _KINDS.get(kind) or _BOUNDS.get(kind, error["msg"]).format(**context)
    found = shown(error["input"])
    cause = "out of bounds" if kind in _BOUNDS and kind != "literal_error" else "not a value it can have"
    fix = f"write {expected}" + (f" ({wanted})" if wanted else "")
    if kind == "literal_error" and isinstance(error["input"], str):
        words = expected.replace(" or ", ", ").replace("'", "").split(", ")
        fix = did_you_mean(error["input"], words, fix)
    return cause, found, expected, fix


def field_at(model: type[BaseModel], keys: KeyPath) -> FieldInfo | None:
    """The field that a key, or the nearest thing around it, belongs to."""
    for end in range(len(keys), 0, -1):
        owner = model_at(model, keys[: end - 1])
        if owner is not None and keys[end - 1] in owner.model_fields:
            return owner.model_fields[keys[end - 1]]
    return None


def model_at(model: type[BaseModel], keys: KeyPath) -> type[BaseModel] | None:
    """The section that stands under some keys; entries of lists and mappings share one."""
    at: type[BaseModel] | None = model
    inside = False
    for key in keys:
        if inside:  # a key of a mapping, or the number of a list entry
            inside = False
            continue
        if at is None or key not in at.model_fields:
            return None
        annotation = at.model_fields[key].annotation
        at = _model_in(annotation)
        inside = at is not None and annotation is not at and not _is_optional(annotation, at)
    return at


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, typing.get_args(annotation))), None)


def _is_optional(annotation: Any, model: type[BaseModel]) -> bool:
    return set(typing.get_args(annotation)) == {model, type(None)}


def _wanted(field: FieldInfo | None) -> str:
    if field is None:
        return ""
    default = field.default
    plain = default is not PydanticUndefined and isinstance(default, (bool, int, float, str, tuple))
    return (field.description or "") + (f"; the default is {shown(default)}" if plain else "")
