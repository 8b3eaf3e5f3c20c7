"""Patterns of paths, in which {case} stands for the case."""

import glob
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from medp2p.errors import ConfigError
from medp2p.io import passed_over

CASE: Final = "{case}"
_PLACEHOLDER: Final = re.compile(r"\{[^{}/\\]*\}")


def expanded(pattern: str) -> Iterator[tuple[str, Path]]:
    """The files that fit a pattern, with the case that each stands for, in the order of the cases."""
    expression = re.compile("(?P<case>[^/]+)".join(map(re.escape, pattern.split(CASE, 1))).replace(
        re.escape(CASE), "(?P=case)"))  # fmt: skip
    found = {}
    for name in glob.glob("*".join(map(glob.escape, pattern.split(CASE)))):  # noqa: PTH207 - Path.glob knows no escape
        fits = expression.fullmatch(name.replace("\\", "/") if "/" in pattern else name)
        if fits and not passed_over(fits["case"]):
            found[fits["case"]] = Path(name)
    yield from sorted(found.items())


def without_case(name: str) -> str:
    """What is left of a name without {case} and what joins it to the rest.

    Examples:
        >>> without_case("{case}_bone")
        'bone'
    """
    return name.replace(CASE, "").strip("_-. ")


def refuse_unknown_placeholders(argument: str, words: str) -> None:
    """Raise where braces stand around something else than `case`, and nothing is called so.

    Args:
        argument: `-r`, `-m` and the like, for the message.
        words: What was given for it.

    Raises:
        ConfigError: With the placeholders that there are, and the one that was probably meant.
    """
    unknown = [found for found in _PLACEHOLDER.findall(words) if found != CASE]
    if not unknown or Path(words).exists() or (CASE in words and any(expanded(words))):
        return
    raise ConfigError(
        None,
        "no such placeholder",
        key=argument,
        found=f"{unknown[0]} in {words}",
        expected=f"{CASE}, the only one: it stands for the case",
        fix=f"did you mean {words.replace(unknown[0], CASE)}",
    )
