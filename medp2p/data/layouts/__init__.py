"""Ways in which people keep cohorts that are no folder per case: by names, BIDS, nnU-Net; no image is read here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from medp2p.data.layouts.bids import bids_cases
from medp2p.data.layouts.names import named_cases
from medp2p.data.layouts.nnunet import nnunet_cases
from medp2p.data.layouts.tree import TreeCase
from medp2p.errors import ConfigError, Fault

Finder = Callable[[Path, Sequence[str], Mapping[str, Sequence[str]]], tuple[list[TreeCase], list[Fault]]]

LAYOUTS: dict[str, Finder] = {"names": named_cases, "bids": bids_cases, "nnunet": nnunet_cases}
"""Each gives the cases under a folder, whole or not, and what is wrong; told the channels and `data.files`."""

__all__ = ["LAYOUTS", "TreeCase", "list_cases"]


def list_cases(
    folder: str | Path, channels: Sequence[str], *, layout: str, files: Mapping[str, str | Sequence[str]] | None = None
) -> list[TreeCase]:
    """The cases of a cohort, in the order of their ids; a channel that a case lacks is not among its files.

    Args:
        folder: Its root.
        channels: Which scans are wanted.
        layout: `names`, `bids` or `nnunet`, as `data.layout` of a configuration.
        files: As `data.files` of a configuration.

    Raises:
        ConfigError: There is no such layout; two files for one scan; a name that leaves open which file is meant.
        FileError: The folder cannot be read.
    """
    if layout not in LAYOUTS:
        raise ConfigError(None, "no such layout", key="layout", found=layout, expected=", ".join(LAYOUTS),
                          fix="write one of these")  # fmt: skip
    given = {name: (value,) if isinstance(value, str) else tuple(value) for name, value in (files or {}).items()}
    cases, faults = LAYOUTS[layout](Path(folder), channels, given)
    if faults:
        raise ConfigError.several(faults)
    return cases
