"""A small sound configuration, and files that hold it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medp2p.config import Config, load_config


def sound() -> dict[str, Any]:
    """A configuration with regions, as plain data."""
    return {
        "data": {
            "sources": ["mr"],
            "target": "ct",
            "folder": "../data",
            "files": {"mr": "mr.nii.gz", "ct": "ct.nii.gz", "regions": "regions.nii.gz"},
        },
        "regions": {"names": {"1": "brain", "2": "bone"}, "weights": {"bone": 4.0}},
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write(training={…})` writes the sound configuration with some sections changed, one section a line."""

    def write(**changed: object) -> Path:
        path = tmp_path / "run.yaml"
        sections = {**sound(), **changed}
        path.write_text("\n".join(f"{name}: {json.dumps(section)}" for name, section in sections.items()))
        return path

    return write


@pytest.fixture
def load(write: Callable[..., Path]) -> Callable[..., Config]:
    """`load(training={…})` loads it."""
    return lambda *overrides, **changed: load_config(write(**changed), overrides)
