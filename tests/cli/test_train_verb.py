"""The first thing a stranger types."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medp2p.config.shipped import shipped_folder

MEDP2P = Path(sys.executable).with_name("medp2p")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder like a fresh clone: configurations, no data."""
    shutil.copytree(shipped_folder(), tmp_path / "configs")
    return tmp_path


def run(folder: Path, *words: str, **environment: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """What a command ended with, and its seconds of the processor, since others may keep that busy."""
    before = os.times()
    result = subprocess.run(
        [MEDP2P, *words], cwd=folder, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    after = os.times()
    return result, after.children_user + after.children_system - before.children_user - before.children_system


def test_training_without_data_ends_at_once_with_both_cures(clone: Path) -> None:
    result, seconds = run(clone, "train", "configs/mr2ct.yaml")
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    written = (clone / "configs" / "mr2ct.yaml").read_text().splitlines()
    number = 1 + next(index for index, text in enumerate(written) if text.startswith("  folder:"))
    assert line.startswith(f"error: configs/mr2ct.yaml:{number}: data.folder: there is no such folder")
    assert "mr.nii.gz, ct.nii.gz, regions.nii.gz, body.nii.gz" in line
    assert "`--set data.folder=DIR`" in line
    assert line.endswith("`medp2p phantom data/mr2ct`")
    assert sorted(path.name for path in clone.iterdir()) == ["configs"]
    assert seconds < 1.5  # torch alone takes longer


def test_a_faulty_configuration_ends_at_once_too(clone: Path) -> None:
    result, seconds = run(clone, "train", "configs/mr2ct.yaml", "--set", "training.epoks=3", "--set", "los=1")
    assert {line.split(": ")[1] for line in result.stderr.splitlines()} == {"--set training.epoks", "--set los"}
    assert seconds < 1.5


def test_another_folder_is_named_as_typed(clone: Path) -> None:
    (clone / "scans").mkdir()
    result, _ = run(clone, "train", "configs/mr2ct.yaml", "--set", "data.folder=scans")
    assert result.stderr.startswith("error: --set data.folder: there are no scans (found scans, expected")


def test_any_locale_will_do(clone: Path) -> None:
    (clone / "größe.yaml").write_text("data: {sources: mr, target: ct, folder: Übung}")
    result, _ = run(clone, "train", "größe.yaml", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert result.returncode == 2
    assert result.stderr.startswith("error: gr")
    assert "Traceback" not in result.stderr
