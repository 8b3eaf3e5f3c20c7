"""Cases over workers: done once each, whatever dies."""

import logging
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from medp2p.errors import ConfigError, FileError
from medp2p.many import each_case
from tests.many.worked_on import CONTENT, begin, starts

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytest.importorskip("cryptography", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.slow


def children() -> set[int]:
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "pid="], capture_output=True, text=True)
    return {int(word) for word in listed.stdout.split()}


def listening() -> set[str]:
    """Local addresses of listening sockets that this process and its children hold, as /proc writes them."""
    held = {str(entry.readlink()) for pid in (os.getpid(), *children()) for entry in _descriptors(pid)}
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()]
    return {row[1] for row in rows[1:] if row[3] == "0A" and f"socket:[{row[9]}]" in held}


def _descriptors(pid: int) -> list[Path]:
    try:
        return [entry for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    except OSError:
        return []


def test_a_worker_killed_in_the_middle_costs_no_case(tmp_path: Path) -> None:
    cases = [f"case{number:02}" for number in range(50)]
    rows, killed = {}, ""
    with closing(each_case(partial(begin, tmp_path, 0.05), cases, workers=2)) as outcomes:
        for case, row in outcomes:
            rows[case] = row
            if len(rows) == 15:
                killed = str(_one_at_work(tmp_path))
                os.kill(int(killed), signal.SIGKILL)
    assert sorted(rows) == cases
    assert [str(row) for row in rows.values() if isinstance(row, Exception)] == []
    assert list(rows.values()).count(0) <= 1  # written, and its worker killed before it could say so
    assert {path.read_text() for path in tmp_path.glob("*.txt")} == {CONTENT}
    assert len(list(tmp_path.glob("*.txt"))) == 50
    assert list(tmp_path.glob(".medp2p-*")) == []
    twice = [case for case in cases if len(starts(tmp_path, case)) > 1]
    assert len(twice) <= 1  # the case that the worker died of alone is begun again
    assert all(starts(tmp_path, case)[0] == killed for case in twice)
    assert len(list(tmp_path.glob("begun-*"))) >= 2  # and a third, if the others leave it work


def _one_at_work(folder: Path) -> int:
    begun = {int(path.name.split("-")[1]) for path in folder.glob("begun-*")}
    return sorted(begun)[0]


def test_a_case_that_kills_workers_is_a_refusal_and_the_others_are_done(tmp_path: Path) -> None:
    cases = ["a", "deadly", *"bcdef"]
    rows = dict(each_case(partial(begin, tmp_path, 0.02), cases, workers=2))
    refused = rows.pop("deadly")
    assert isinstance(refused, FileError)
    assert refused.exit_code == 1
    assert "deadly: every worker that took this case died (found 3 deaths)" in str(refused)
    assert rows == dict.fromkeys("abcdef", 1)
    assert all(len(starts(tmp_path, case)) == 1 for case in "abcdef")


def test_refusals_and_warnings_come_back_from_workers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="medp2p"):
        rows = dict(each_case(partial(begin, tmp_path), ["odd", "bad", "c"], workers=2))
    assert str(rows["bad"]) == "bad.nii.gz: it is damaged. Fix: copy it again"
    assert ("medp2p.tests", logging.WARNING, "odd is constant") in caplog.record_tuples


def test_a_failing_machine_ends_the_workers(tmp_path: Path) -> None:
    outcomes = each_case(partial(begin, tmp_path), ["full", "a", "b"], workers=2)
    with pytest.raises(FileError, match="no space"), closing(outcomes):
        list(outcomes)
    assert [pid for pid in _begun(tmp_path, 1) if _alive(pid)] == []


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc to see who listens")
def test_nobody_beyond_this_machine_can_reach_the_workers(tmp_path: Path) -> None:
    before = listening()
    with closing(each_case(partial(begin, tmp_path, 0.1), list("abcd"), workers=2)) as outcomes:
        next(outcomes)
        opened = listening() - before
    assert len(opened) > 0
    assert {address.split(":")[0] for address in opened} == {"0100007F"}


def test_the_host_keeps_its_environment_and_its_default_client(tmp_path: Path) -> None:
    before = dict(os.environ)
    with closing(each_case(partial(begin, tmp_path), list("abcd"), workers=2)) as outcomes:
        list(outcomes)
    assert dict(os.environ) == before
    with pytest.raises(ValueError, match="client"):
        distributed.get_client(timeout=0)


def test_a_scheduler_that_is_there_takes_the_cases(tmp_path: Path) -> None:
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, processes=False, protocol="tcp://", host="127.0.0.1"
    ) as there:
        rows = dict(each_case(partial(begin, tmp_path), list("abcd"), cluster=there.scheduler_address))
    assert rows == dict.fromkeys("abcd", 1)
    assert len(list(tmp_path.glob("begun-*"))) == 1


def test_a_scheduler_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medp2p.many.places._CONNECT_S", 1)
    with pytest.raises(ConfigError, match="no dask scheduler answers there"):
        list(each_case(lambda: abs, [1, 2], cluster="tcp://127.0.0.1:9"))


def test_too_few_files_are_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (128, 128))
    with pytest.raises(ConfigError, match=r"too few files .*found 128, expected at least 144"):
        list(each_case(lambda: abs, list(range(9)), workers=8))


SCRIPT = """
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from medp2p.cli.signals import Stopped, signals_stop_the_work
from medp2p.many import each_case
from tests.many.worked_on import begin

if __name__ == "__main__":
    try:
        with signals_stop_the_work():
            work = partial(begin, Path(sys.argv[1]), 5.0)
            with closing(each_case(work, ["a", "b", "c", "d"], workers=2)) as outcomes:
                list(outcomes)
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
"""


def _started(tmp_path: Path, **limits: object) -> subprocess.Popen[bytes]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "HOME": "/nowhere"}
    return subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment, start_new_session=True,
                            stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, **limits)  # fmt: skip


def _begun(folder: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if len(list(folder.glob("*.starts"))) >= count:
            break
        time.sleep(0.1)
    return [int(path.name.split("-")[1]) for path in folder.glob("begun-*")]


def _alive(pid: int) -> bool:
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_workers_too(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = _started(tmp_path)
    workers = _begun(tmp_path, 2)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (code, b"")
    assert len(workers) == 2
    assert [pid for pid in workers if _alive(pid)] == []
    assert {path.suffix for path in tmp_path.iterdir()} <= {".py", ".starts", ""}


def test_workers_do_not_outlive_a_killed_main_process(tmp_path: Path) -> None:
    process = _started(tmp_path)
    workers = _begun(tmp_path, 2)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(map(_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [pid for pid in workers if _alive(pid)] == []
