"""Which of several processes this one is, as its launcher says; asked before torch is loaded."""

import os

_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")


def is_launched() -> bool:
    """Whether a launcher (torchrun, Slurm, Fabric) started this process as one of several.

    Such processes meet before anything is refused, so that one of them can speak for all.
    """
    return any(name in os.environ for name in _RANKS)


def is_first() -> bool:
    """Whether this is the first of them, or the only one."""
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)
