"""Cases as jobs of a real Slurm."""

import os
import signal
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from medp2p.errors import ConfigError
from medp2p.many import each_case
from tests.many.one_node_slurm import is_there, one_node_slurm
from tests.many.worked_on import CONTENT, begin, starts

pytest.importorskip("dask_jobqueue", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_there():
        pytest.skip("needs Slurm (apt install slurm-wlm munge) and root")
    with one_node_slurm() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        yield


@pytest.mark.usefixtures("slurm")
@pytest.mark.filterwarnings("default")  # dask-jobqueue's own
def test_a_job_s_worker_killed_in_the_middle_costs_no_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DASK_JOBQUEUE__SLURM__JOB_CPU", "1")
    cases, rows = [f"case{number:02}" for number in range(50)], {}
    with closing(each_case(partial(begin, tmp_path, 0.1), cases, workers=2, cluster="slurm")) as outcomes:
        for case, row in outcomes:
            rows[case] = row
            if len(rows) == 15:
                os.kill(int(next(iter(tmp_path.glob("begun-*"))).name.split("-")[1]), signal.SIGKILL)
    assert sorted(rows) == cases
    assert [path.read_text() for path in tmp_path.glob("*.txt")] == [CONTENT] * 50
    assert len([case for case in cases if len(starts(tmp_path, case)) > 1]) <= 1
    assert {path.name.split("-")[0] for path in tmp_path.iterdir() if path.suffix not in (".txt", ".starts")} == {
        "begun"
    }


@pytest.mark.usefixtures("slurm")
@pytest.mark.filterwarnings("default")
def test_jobs_that_slurm_will_not_take_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    dask = pytest.importorskip("dask")
    with dask.config.set({"jobqueue.slurm.queue": "nowhere"}), pytest.raises(ConfigError, match="Invalid partition"):
        list(each_case(lambda: abs, [1, 2], cluster="slurm"))


def test_without_slurm_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="no sbatch"):
        list(each_case(lambda: abs, [1, 2], cluster="slurm"))
