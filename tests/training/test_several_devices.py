"""One training by two processes: the same steps, one who writes, and an end for all."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from medp2p.training.checkpoint import load_checkpoint
from tests.training.runs import assert_same_weights

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def started(*words: object, **options: object) -> subprocess.Popen[str]:
    """A script, or a module of this Python, in a session of its own."""
    environment = {name: value for name, value in os.environ.items() if not re.match("SLURM|RANK|LOCAL_RANK", name)}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *map(str, words)], env=environment, start_new_session=True, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # fmt: skip


def test_twenty_steps_of_two_processes_are_those_of_one(tmp_path: Path) -> None:
    script = ROOT / "tests" / "training" / "twenty_steps.py"
    processes = [started(script, count, tmp_path / f"{count}.pt") for count in (1, 2)]
    assert [(process.communicate()[1], process.returncode)[1] for process in processes] == [0, 0]
    one, two = (torch.load(tmp_path / f"{count}.pt", weights_only=True) for count in (1, 2))
    for dtype, allowed in (("torch.float32", 1e-5), ("torch.float64", 1e-9)):
        apart = {name: float((one[dtype][name] - two[dtype][name]).abs().max()) for name in one[dtype]}
        assert max(apart.values()) < allowed, (dtype, max(apart, key=apart.__getitem__))


@pytest.fixture
def command(config: Path, tmp_path: Path) -> list[object]:
    return ["-m", "medp2p", "train", config, "--run", tmp_path / "run", "--device", "cpu", "--devices", 2]


def test_a_group_told_to_stop_saves_once_and_goes_on_as_if_it_had_not_been(command, tmp_path) -> None:
    stopped = started(*command)
    _wait_for(tmp_path / "run" / "last.pt", stopped)
    stopped.send_signal(signal.SIGUSR1)  # to the main process alone, as Slurm does
    out, said = stopped.communicate()
    assert stopped.returncode == 143, said
    assert "told to stop by SIGUSR1; its state is saved" in said
    _, progressed = load_checkpoint(tmp_path / "run" / "last.pt")
    assert (2, 0) <= (progressed.epoch, progressed.step) < (4, 0)  # after the first epoch, before the end of the third

    resumed = started(*command, "--resume")
    straight = started(*command, "--run", tmp_path / "straight")
    for process in (resumed, straight):
        out, said = process.communicate()
        assert process.returncode == 0, said
        assert out.count("\n") == 1  # one of them talks
    assert_same_weights(tmp_path / "run", tmp_path / "straight")
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["processes"] == 2


@pytest.mark.parametrize("which", ["main", "other"])
def test_a_process_that_is_killed_ends_the_others_and_leaves_a_whole_state(command, tmp_path, which) -> None:
    main = started(*command, "--set", "training.epochs=10000")
    _wait_for(tmp_path / "run" / "last.pt", main)
    other = int(subprocess.run(["pgrep", "-P", str(main.pid)], capture_output=True, text=True).stdout)
    os.kill(main.pid if which == "main" else other, signal.SIGKILL)
    said = main.communicate()[1]  # ends when both have let go of the pipe, which is just before they are gone
    for _ in range(600):
        if _is_gone(other):
            break
        time.sleep(0.1)
    assert _is_gone(other)
    assert main.returncode in ((-signal.SIGKILL,) if which == "main" else (1, -signal.SIGKILL)), said
    assert "error: --devices: another process of this training ended before its time" in said or which == "other"
    _, progressed = load_checkpoint(tmp_path / "run" / "last.pt")
    assert progressed.epoch >= 2


def _is_gone(process: int) -> bool:
    try:
        return "zombie" in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.1)
