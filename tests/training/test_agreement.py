"""Several processes of one training refuse it in one voice."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medp2p.errors import ConfigError, FileError, fault
from medp2p.training.agreement import refusal_of
from tests.conftest import Answer

ROOT = Path(__file__).parents[2]


def refused(*names: str) -> ConfigError:
    return ConfigError.several([fault(name, "wrong", fix="right it") for name in names])


def test_where_nobody_refuses_nothing_is_raised() -> None:
    assert refusal_of([None, None, None], 1) is None


def test_the_first_process_tells_what_any_of_them_met_and_the_same_once() -> None:
    told = refusal_of([refused("a", "b"), refused("b", "c"), None], 0)
    assert isinstance(told, ConfigError)
    assert str(told).splitlines() == [
        "a: wrong. Fix: right it",
        "b: wrong. Fix: right it",
        "c: wrong. Fix: right it (process 2 of 3 met it, and the first did not)",
    ]
    assert not told.told_elsewhere


@pytest.mark.parametrize("rank", [1, 2])
def test_the_others_raise_too_and_know_that_it_is_told(rank: int) -> None:
    told = refusal_of([None, refused("a"), None], rank)
    assert told is not None
    assert told.told_elsewhere
    assert str(told) == "a: wrong. Fix: right it"


def test_kind_and_exit_code_are_those_of_the_first_refusal() -> None:
    failed = FileError("disk", "full", fix="free some")
    failed.exit_code = 1
    told = refusal_of([None, failed, refused("a")], 0)
    assert isinstance(told, FileError)
    assert told.exit_code == 1


def test_of_wrong_words_the_first_of_torchruns_processes_speaks(
    medp2p: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "x.yaml", "--devices", "2", "--resum"]
    monkeypatch.setenv("RANK", "0")
    first = medp2p(*words)
    assert (first.code, len(first.errors)) == (2, 1)
    monkeypatch.setenv("RANK", "1")
    other = medp2p(*words)
    assert (other.code, other.out, other.err) == (0, "", "")


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not re.match("SLURM|RANK|LOCAL_RANK", name)}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *map(str, words)], cwd=cwd, env=environment, text=True, timeout=300,
                          capture_output=True, check=False)  # fmt: skip


def errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("error: ")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "data.folder=nowhere"), "error: --set data.folder: there is no such folder"),
        (("--device", "cuda:77"), "error: --device: the device cuda:77 is not there"),
    ],
)
def test_a_refusal_under_torchrun_is_one_line(config: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", "medp2p")
    result = run(*launch, "train", config, "--device", "cpu", "--devices", 2, *words, cwd=tmp_path)
    assert result.returncode != 0
    (line,) = errors(result.stderr)
    assert said.partition(":")[0] in line
    assert said.rpartition(": ")[2] in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_only_another_process_meets_is_told_by_the_first(config: Path, heads: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "scans").symlink_to(heads)
    script = ROOT / "tests" / "training" / "elsewhere.py"
    words = ("train", config, "--run", tmp_path / "run", "--device", "cpu", "--devices", 2)
    result = run(script, tmp_path / "elsewhere", *words, "--set", "data.folder=scans", cwd=tmp_path / "here")
    assert result.returncode == 2
    (line,) = errors(result.stderr)
    assert line.startswith("error: --set data.folder: there is no such folder")
    assert line.endswith("(process 2 of 2 met it, and the first did not)")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_training_that_diverges_in_all_processes_says_so_once(config: Path, tmp_path: Path) -> None:
    words = ("-m", "medp2p", "train", config, "--run", tmp_path / "run", "--device", "cpu", "--devices", 2)
    result = run(*words, "--set", "training.learning_rate=1e30", cwd=tmp_path)
    assert result.returncode == 1
    (line,) = errors(result.stderr)
    assert line.startswith("error: training diverged at epoch 1")
