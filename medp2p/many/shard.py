"""Part i of n of many cases, for the job arrays of a cluster."""

import logging
from typing import TypeVar

from medp2p.errors import ConfigError

logger = logging.getLogger(__name__)

Case = TypeVar("Case")


def shard(cases: tuple[Case, ...], part: str | None) -> tuple[Case, ...]:
    """The share of a job array.

    Args:
        cases: All of them, in an order that every job sees alike.
        part: `i/n`, i from 1 to n; None is all.

    Raises:
        ConfigError: It is no part, such as `0/4` or `5/4`.

    Examples:
        >>> shard(("a", "b", "c"), "1/2"), shard(("a", "b", "c"), "2/2")
        (('a', 'c'), ('b',))
    """
    if part is None:
        return cases
    first, _, count = part.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise ConfigError(None, "no part of the cases", key="--shard", found=part, expected="i/n with i from 1 to n",
                          fix="write 1/4 for the first of four parts")  # fmt: skip
    mine = cases[int(first) - 1 :: int(count)]
    logger.info("this is part %s of %s: %d of %d cases", first, count, len(mine), len(cases))
    return mine
