"""Which keys differ between two configurations, for a run that goes on."""

from collections.abc import Iterator, Mapping

from medp2p.config.schema import Config

_WHOLE = ("data.files", "regions.names", "regions.groups", "regions.weights")  # mappings that a user wrote: told as one


def differing_keys(first: Config, second: Config) -> tuple[str, ...]:
    """The dotted names of all keys whose values differ, in the order of the schema.

    Examples:
        >>> from medp2p.config import config_from_mapping
        >>> content = {"data": {"sources": "mr", "target": "ct", "folder": "/scans"}}
        >>> differing_keys(config_from_mapping(content), config_from_mapping(content, ["training.epochs=3"]))
        ('training.epochs',)
    """
    left, right = (dict(_leaves(config.model_dump(mode="json"), "")) for config in (first, second))
    return tuple(key for key in dict.fromkeys((*left, *right)) if left.get(key) != right.get(key))


def _leaves(content: Mapping[str, object], around: str) -> Iterator[tuple[str, object]]:
    for key, value in content.items():
        name = f"{around}{key}"
        if isinstance(value, Mapping) and value and name not in _WHOLE:
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value
