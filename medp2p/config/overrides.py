"""`--set a.b=VALUE`: one key of a configuration from the command line, by the rules of the file."""

from collections.abc import Sequence
from dataclasses import dataclass

from medp2p.config.strict_yaml import KeyPath, YamlValue, read_yaml_value, shown
from medp2p.errors import ConfigError, Fault, fault


@dataclass(frozen=True)
class Override:
    """A key and the value that replaces what the file says.

    Attributes:
        keys: The parts of the dotted key.
        value: Plain data.
    """

    keys: KeyPath
    value: YamlValue

    @property
    def option(self) -> str:
        """The option as messages name it."""
        return f"--set {'.'.join(self.keys)}"


def read_overrides(texts: Sequence[str]) -> tuple[list[Override], list[Fault]]:
    """The overrides of a command line, the last of a repeated key, and what is wrong with others.

    Examples:
        >>> read_overrides(["training.epochs=3", "data.patient='^a=(.)'", "training.epochs=4"])[0]
        [Override(keys=('data', 'patient'), value='^a=(.)'), Override(keys=('training', 'epochs'), value=4)]
    """
    texts = [texts] if isinstance(texts, str) else texts
    taken: dict[KeyPath, Override] = {}
    faults: list[Fault] = []
    for text in texts:
        key, equals, value = text.partition("=")
        keys = tuple(key.strip().split("."))
        if not equals or not all(keys):
            fix = "write --set section.key=VALUE, as in --set training.epochs=50"
            faults.append(fault("--set", "no key and value", found=shown(text), expected="KEY=VALUE", fix=fix))
            continue
        try:
            override = Override(keys, read_yaml_value(value, f"--set {'.'.join(keys)}"))
        except ConfigError as error:
            faults.extend(error.faults)
            continue
        taken.pop(keys, None)
        taken[keys] = override
    return list(taken.values()), faults


def apply(override: Override, content: dict[str, YamlValue]) -> Fault | None:
    """Put the value of an override into plain data, in place; a fault where a key on the way holds no keys."""
    at = content
    for number, key in enumerate(override.keys[:-1], start=1):
        inner = at.get(key)
        if inner is None:
            inner = at[key] = {}
        if not isinstance(inner, dict):
            around = ".".join(override.keys[:number])
            fix = f"replace it as a whole: --set {around}=VALUE"
            return fault(override.option, f"{around} has no keys", found=shown(inner), fix=fix)
        at = inner
    at[override.keys[-1]] = override.value
    return None
