"""A configuration as text: everything filled in, each key with its comment; and the schema for editors."""

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from medp2p.config.schema import Config

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS = {"true", "false", "null"}
_COMMENT_COLUMN = 42
_WIDTH = 120


def to_yaml(config: Config) -> str:
    """The whole configuration; reading it again gives an equal one.

    Examples:
        >>> from medp2p.config import config_from_mapping
        >>> config = config_from_mapping({"data": {"sources": "mr", "target": "ct", "folder": "/scans"}})
        >>> print(to_yaml(config).split("loss:")[1].split("training:")[0].strip())  # doctest: +ELLIPSIS
        # what the generator is trained for
          adversarial: vanilla ...
    """
    content = config.model_dump(mode="json")
    data = content["data"]
    if data["cases"] is not None:
        del data["files"], data["split"], data["folder"]
    data["target"] = _alone(data["target"])
    if data.get("files"):
        data["files"] = {name: _alone(files) for name, files in data["files"].items()}
    return "\n".join(_section(content, Config, "")) + "\n"


def json_schema() -> dict[str, Any]:
    """The JSON schema of a configuration, for editors; only `data` is required."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "medp2p configuration"}


def _section(content: dict[str, Any], model: type[BaseModel], indent: str) -> Iterator[str]:
    for key, value in content.items():
        field = model.model_fields.get(key)
        comment = field.description if field else None
        inner = field.annotation if field else None
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            yield f"{indent}{key}:" + (f"  # {comment}" if comment else "")
            yield from _section(value, inner, indent + "  ")
        elif key in ("cases", "intensity") and not isinstance(value, str | None):
            yield f"{indent}{key}:" + (f"  # {comment}" if comment else "")
            yield from _entries(value, indent + "  ")
        else:
            line = f"{indent}{_flow(key)}: {_flow(value)}"
            beside = f"{line:<{_COMMENT_COLUMN}}  # {comment}"
            if comment and len(beside) > _WIDTH:
                yield from (f"{indent}# {part}" for part in textwrap.wrap(comment, _WIDTH - 2 - len(indent)))
            yield beside if comment and len(beside) <= _WIDTH else line


def _entries(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{indent}{_key(key)}: {_flow(entry)}" for key, entry in value.items())
    else:
        yield from (f"{indent}- {_flow(_without_nothing(entry))}" for entry in value)


def _without_nothing(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value not in (None, [])}


def _key(key: str) -> str:
    return key if re.fullmatch(r"0|[1-9][0-9]*", key) else _flow(key)


def _alone(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _flow(value: Any) -> str:
    """A value on one line; text in quotes wherever it could be read as anything else."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(str(key))}: {_flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
