"""What a rule is: a plain function on the sections that are sound, so that all faults come at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medp2p.errors import Fault

if TYPE_CHECKING:
    from medp2p.config.schema import Config

Check = Callable[["Config"], Iterator[Fault]]


@dataclass(frozen=True)
class Rule:
    """A rule that joins keys.

    Attributes:
        keys: The keys it reads; it is left out where one of them is refused already.
        check: Gives its faults.
    """

    keys: tuple[str, ...]
    check: Check


def reads(*keys: str) -> Callable[[Check], Rule]:
    """Makes a rule of a function that reads these keys."""
    return lambda check: Rule(keys, check)
