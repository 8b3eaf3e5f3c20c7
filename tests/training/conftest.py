"""Trainings of seconds on four heads."""

from pathlib import Path

import pytest

from medp2p.training import Run, train
from tests.training.runs import write_config


@pytest.fixture(scope="session")
def config(heads: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of trainings that take seconds, on four heads."""
    return write_config(tmp_path_factory.mktemp("config") / "tiny.yaml", heads)


@pytest.fixture(scope="session")
def straight(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of a training without a stop."""
    return train(config, run=tmp_path_factory.mktemp("runs") / "straight", device="cpu")
