"""Configurations of small cohorts."""

from medp2p.config import config_from_mapping


def config_of(folder=None, **sections):
    """A configuration from MR to CT; `data` and other sections are merged into it."""
    data = {"sources": "mr", "target": "ct", **({"folder": str(folder)} if folder else {}), **sections.pop("data", {})}
    return config_from_mapping({"data": data, **sections})
