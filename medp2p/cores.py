"""How many processor cores this process may use."""

import os


def usable_cores() -> int:
    """The cores that this process is allowed to run on, at least one; not those of the machine, where a scheduler or a
    container (Linux) has given it fewer.

    Examples:
        >>> 1 <= usable_cores() <= os.cpu_count()
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows know no affinity, or do not tell it here
