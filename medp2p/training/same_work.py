"""What a run that goes on must have in common with the run that it was."""

from collections.abc import Mapping
from pathlib import Path

from medp2p.config import Config, differing_keys
from medp2p.data.cohort import Cohort, label_table
from medp2p.errors import ConfigError, Fault, fault
from medp2p.training.papers import read_config, read_provenance

MAY_DIFFER = (
    "training.epochs",
    "training.decay_epochs",
    "training.validate_every",
    "training.tracking",
    "training.start_from",
)
"""Keys that a run may go on with other values of, beside the places of its data."""


def refuse_other_work(folder: Path, config: Config, cohort: Cohort) -> None:
    """Raise where a run would go on with another configuration or other scans.

    Raises:
        ConfigError: Keys or cases differ; all are named.
    """
    faults: list[Fault] = []
    before = read_config(folder)
    for key in differing_keys(before, config.without_places(*label_table(config))):
        if key not in MAY_DIFFER:
            faults.append(
                config.fault(
                    key, "the run was trained with another value", fix="put it back, or train anew (--overwrite)"
                )
            )
    known = read_provenance(folder)
    hashes = cohort.hashes
    for case in sorted({*known, *hashes}):
        if known.get(case) != hashes.get(case):
            cause = (
                "this case is new to the run"
                if case not in known
                else "this case of the run is gone"
                if case not in hashes
                else f"files of this case are others: {', '.join(_differing(known[case], hashes[case]))}"
            )
            faults.append(fault(folder, cause, key=case, fix="bring the same scans back, or train anew (--overwrite)"))
    if faults:
        raise ConfigError.several(faults)


def _differing(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
