"""The batch files of `pipelines/slurm` on a real Slurm of one node."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medp2p.training.checkpoint import load_checkpoint
from tests.many.one_node_slurm import is_there, one_node_slurm
from tests.training.runs import write_config

ROOT = Path(__file__).parents[2]
BATCH = ROOT / "pipelines" / "slurm"
pytestmark = pytest.mark.slow


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("name", ["train", "cases"])
def test_a_batch_file_is_a_shell_script(name: str) -> None:
    assert subprocess.run(["bash", "-n", str(BATCH / f"{name}.sbatch")]).returncode == 0


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not is_there():
        pytest.skip("needs Slurm (apt install slurm-wlm munge) and root")
    with one_node_slurm() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.mark.usefixtures("slurm")
def test_a_job_that_is_warned_saves_goes_back_into_the_queue_and_goes_on(heads: Path, tmp_path: Path) -> None:
    run, log, config = tmp_path / "run", tmp_path / "log", write_config(tmp_path / "tiny.yaml", heads)
    command = ["sbatch", "--parsable", f"--output={log}", "--ntasks-per-node=2", str(BATCH / "train.sbatch")]
    job = subprocess.check_output(
        [*command, str(config), "--run", str(run), "--device", "cpu", "--set", "training.epochs=3"], text=True
    ).strip()
    _until(lambda: (run / "last.pt").exists(), job, log)
    subprocess.run(["scancel", "--batch", "--signal=USR1", job], check=True)  # as shortly before the time limit
    _until(lambda: "Restarts=1" in _about(job), job, log)
    _, progressed = load_checkpoint(run / "last.pt")
    _until(lambda: _let_start(job) or "JobState=COMPLETED" in _about(job), job, log)
    said = log.read_text()
    assert "told to stop by SIGUSR1; its state is saved" in said
    assert f"going on in epoch {progressed.epoch} after {progressed.step}" in said
    epochs = [line.split(",")[0] for line in (run / "history.csv").read_text().splitlines()[1:]]
    assert epochs == ["1", "2", "3", "4"]
    assert json.loads((run / "provenance.json").read_text())["processes"] == 2


def _about(job: str) -> str:
    return subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True).stdout


def _let_start(job: str) -> bool:
    """Slurm lets a job that was put back wait for two minutes."""
    if "JobState=PENDING" in _about(job):
        subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], capture_output=True)
    return False


def _until(true, job: str, log: Path) -> None:
    while not true():
        assert not any(f"JobState={state}" in _about(job) for state in ("FAILED", "CANCELLED")), log.read_text()
        time.sleep(0.5)
