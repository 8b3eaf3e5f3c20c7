"""What many tests share: cohorts of small synthetic heads, and the command line run in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from medp2p.data.phantom import write_phantoms

# A busy machine is no fault, and the same commit passes or fails wherever it is run; `make fuzz` looks further.
settings.register_profile("medp2p", deadline=None, derandomize=True)
settings.load_profile("medp2p")

SMALL = (48, 54, 24)
"""Voxels of a small head; the field of view is that of any other."""


@pytest.fixture(scope="session")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of four small heads on plain grids. Read only."""
    folder = tmp_path_factory.mktemp("heads") / "cohort"
    write_phantoms(folder, cases=4, shape=SMALL)
    return folder


@pytest.fixture(scope="session")
def awkward_heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The like on oblique, flipped, permuted grids with voxels of unlike sides. Read only."""
    folder = tmp_path_factory.mktemp("awkward") / "cohort"
    write_phantoms(folder, cases=4, seed=1, awkward=True, shape=SMALL)
    return folder


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error:")]


@pytest.fixture
def medp2p(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """`medp2p("check", path)` runs the command line in this process."""
    from medp2p.cli import main

    def run(*words: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        sys.stdout.flush()
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run
