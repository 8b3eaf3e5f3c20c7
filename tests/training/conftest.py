"""Trainings of seconds on four heads."""

import json
from pathlib import Path

import pytest

from medp2p.training import Run, train
from tests.training.runs import SETTINGS


@pytest.fixture(scope="session")
def config(heads: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of trainings that take seconds, on four heads."""
    files = {name: f"{name}.nii.gz" for name in ("mr", "ct", "regions", "body")}
    data = {"sources": ["mr"], "target": "ct", "folder": str(heads), "files": files,
            "split": {"validation": 0.25, "test": 0.25}}  # fmt: skip
    settings = SETTINGS | {"data": data}
    settings["regions"] = {**SETTINGS["regions"], "names": str(heads / "labels.yaml")}
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(json.dumps(settings))
    return path


@pytest.fixture(scope="session")
def straight(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of a training without a stop."""
    return train(config, run=tmp_path_factory.mktemp("runs") / "straight", device="cpu")
