"""The one writer: whole or not at all, never over what it must not touch."""

import contextlib
import errno
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from medp2p.errors import FileError, OutputExistsError
from medp2p.io import temporary
from medp2p.io.atomic import (
    atomic_file,
    atomic_folder,
    check_output,
    is_temporary,
    sweep_stale,
    write_bytes,
    write_json,
    write_text,
)
from medp2p.io.temporary import sweep_own
from tests.faults import before_each_change


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_whole_and_with_the_umasks_mode(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "a.bin") as file:
            file.write(b"12345")
            file.flush()
            [temporary] = names(tmp_path)
            assert is_temporary(temporary)
            assert stat.S_IMODE((tmp_path / temporary).stat().st_mode) == 0o600
    finally:
        os.umask(old)
    assert names(tmp_path) == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"12345"
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_inside_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    write_text(tmp_path / "a.txt", "old")

    def interrupted() -> None:
        with atomic_file(tmp_path / "a.txt", overwrite=True) as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        interrupted()
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_an_existing_output_is_refused_unless_asked(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(OutputExistsError, match=r"a\.txt: the file exists"):
        write_text(tmp_path / "a.txt", "new", overwrite=False)
    write_text(tmp_path / "a.txt", "new", overwrite=True)
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    def overtaken() -> None:
        with atomic_file(tmp_path / "a.txt") as file:
            file.write(b"mine")
            (tmp_path / "a.txt").write_text("theirs")

    with pytest.raises(OutputExistsError):
        overtaken()
    assert (tmp_path / "a.txt").read_text() == "theirs"
    assert names(tmp_path) == ["a.txt"]


def test_nothing_but_regular_files_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("keep")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("link", "a symbolic link"), ("folder", "a folder"), ("pipe", "a pipe")):
        with pytest.raises(FileError, match=f"{name}.*no regular file .found {kind}"):
            write_bytes(tmp_path / name, b"x", overwrite=True)
    with pytest.raises(FileError, match="device"):
        write_bytes("/dev/full", b"x", overwrite=True)
    assert (tmp_path / "secret").read_text() == "keep"
    assert names(tmp_path) == ["folder", "link", "pipe", "secret"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no.such.a\.txt: cannot be written: its folder is not there") as caught:
        write_text(tmp_path / "no" / "such" / "a.txt", "x")
    assert caught.value.exit_code == 2


def test_a_name_of_255_bytes_is_written_and_a_longer_one_refused(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("ä" * 127 + "b"), b"x")
    with pytest.raises(FileError, match="name is too long"):
        write_bytes(tmp_path / ("a" * 256), b"x")
    assert len(names(tmp_path)) == 1


def test_a_place_that_takes_no_files_is_refused_before_work() -> None:
    with pytest.raises(FileError, match=r"/proc/x: cannot be written"):
        check_output("/proc/x")


@pytest.mark.parametrize("size", [1, 1000, 3_000_000])
def test_a_full_disk_is_the_machines_fault_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, limit[1]))
    try:
        with pytest.raises(FileError, match=r"a\.bin: cannot be written: the file grows larger") as caught:
            write_bytes(tmp_path / "a.bin", bytes(size))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (caught.value.exit_code, caught.value.errno) == (1, errno.EFBIG)
    assert names(tmp_path) == []


def test_a_writer_that_swallows_the_cause_is_found_out(tmp_path: Path) -> None:
    def swallowed() -> None:
        with atomic_file(tmp_path / "a") as file:
            file.raw.failure = OSError(errno.ENOSPC, "No space left on device")
            raise RuntimeError("the archive could not be written")

    with pytest.raises(FileError, match="no space left on the device") as caught:
        swallowed()
    assert caught.value.exit_code == 1


def test_an_error_about_another_file_passes_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "a") as file:
        file.write((tmp_path / "missing").read_bytes())


def test_json_is_strict_and_holds_undecodable_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"psnr": float("inf")})
    write_json(tmp_path / "a.json", {"id": os.fsdecode(b"S\xff"), "name": "Zürich"})
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["name"] == "Zürich"
    assert names(tmp_path) == ["a.json"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with contextlib.suppress(ValueError), atomic_folder(tmp_path / "series") as folder:
        (folder / "1.dcm").write_bytes(b"1")
        raise ValueError
    assert names(tmp_path) == []
    with atomic_folder(tmp_path / "series") as folder:
        (folder / "1.dcm").write_bytes(b"1")
    assert names(tmp_path / "series") == ["1.dcm"]
    assert names(tmp_path) == ["series"]


def test_a_folder_is_replaced_only_when_asked_and_never_with_files_of_others(tmp_path: Path) -> None:
    def fill(text: str, **options: object) -> None:
        with atomic_folder(tmp_path / "s", replaces=lambda name: name.endswith(".dcm"), **options) as folder:
            (folder / f"{text}.dcm").write_text(text)

    (tmp_path / "s").mkdir()
    fill("old")
    with pytest.raises(OutputExistsError, match="not empty"):
        fill("new")
    fill("new", overwrite=True)
    assert names(tmp_path / "s") == ["new.dcm"]
    (tmp_path / "s" / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="files of others"):
        fill("newer", overwrite=True)
    assert names(tmp_path) == ["s"]


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_kept(tmp_path: Path) -> None:
    code = (
        "import sys, time; from medp2p.io.atomic import atomic_file, atomic_folder\n"
        "with atomic_file(sys.argv[1] + '/a') as f, atomic_folder(sys.argv[1] + '/b'):\n"
        "    f.write(b'x' * 2000000); print('ready', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    with atomic_file(tmp_path / "mine") as file:
        file.write(b"x")
        assert sweep_stale(tmp_path) == 0
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert len(names(tmp_path)) == 3
    assert sweep_stale(tmp_path) == 2
    assert names(tmp_path) == ["mine"]


def test_temporary_files_of_another_machine_go_only_under_a_lock(tmp_path: Path) -> None:
    (tmp_path / ".medp2p-elsewhere-12-0123abcd.tmp").write_bytes(b"x")
    assert sweep_stale(tmp_path) == 0
    assert sweep_stale(tmp_path, exclusive=True) == 1
    assert sweep_stale(tmp_path / "missing") == 0


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from medp2p.io.atomic import atomic_folder, write_bytes, sweep_stale
folder, when = Path(sys.argv[1]), int(sys.argv[2])
events = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")
seen = 0
def hook(event, arguments):
    global seen
    if event in events and str(folder) in repr(arguments):
        seen += 1
        if seen == when:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
write_bytes(folder / "a.bin", b"new" * 100_000)
with atomic_folder(folder / "series", overwrite=True) as made:
    for name in "12":
        (made / name).write_bytes(b"new" * 1000)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_the_old_or_the_new_and_never_a_half(tmp_path: Path) -> None:
    code = -signal.SIGKILL
    for when in range(1, 60):
        folder = tmp_path / str(when)
        folder.mkdir()
        write_bytes(folder / "a.bin", b"old" * 100_000)
        with atomic_folder(folder / "series") as made:
            (made / "1").write_bytes(b"old" * 1000)
        code = subprocess.run([sys.executable, "-c", KILLED_AT, folder, str(when)], check=False).returncode
        assert code in (0, -signal.SIGKILL)
        assert (folder / "a.bin").read_bytes() in (b"old" * 100_000, b"new" * 100_000)
        assert {p.name: p.read_bytes() for p in (folder / "series").iterdir()} in (
            {"1": b"old" * 1000},
            {"1": b"new" * 1000, "2": b"new" * 1000},
        )
        sweep_stale(folder)
        assert names(folder) == ["a.bin", "series"]
        if code == 0:
            break
    assert code == 0


def test_folders_change_places_without_the_systems_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medp2p.io.atomic.exchanged", lambda first, second: False)
    for text in ("old", "new"):
        with atomic_folder(tmp_path / "s", overwrite=True) as folder:
            (folder / text).write_text(text)
    assert names(tmp_path / "s") == ["new"]
    assert names(tmp_path) == ["s"]


def test_a_signal_at_any_change_leaves_nothing_once_it_was_swept(tmp_path: Path) -> None:
    class Signal(BaseException):
        """Like a signal's exception: it may come between any two steps, also between a file's making and its `try`."""

    def write(folder: Path) -> None:
        write_text(folder / "a.txt", "new")
        with atomic_folder(folder / "b") as inside:
            (inside / "c").write_text("new")

    count = [0]
    with before_each_change(tmp_path, lambda number, what: count.append(number)):
        write(tmp_path)
    for wanted in range(1, len(count)):
        folder = tmp_path / str(wanted)
        folder.mkdir()

        def strike(number: int, what: str, wanted: int = wanted) -> None:
            if number == wanted:
                raise Signal

        with before_each_change(folder, strike), contextlib.suppress(Signal):
            write(folder)
        sweep_own()
        assert [name for name in names(folder) if is_temporary(name)] == []


def test_nothing_is_remembered_of_what_was_written(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "new")
    with pytest.raises(FileError):
        write_text("/proc/a.txt", "new")
    with atomic_folder(tmp_path / "b"):
        pass
    assert temporary._being_written == set()


def test_a_file_that_is_written_is_never_taken_for_stale_until_it_has_its_name(tmp_path: Path) -> None:
    swept = []

    def sweep(_temporary: Path) -> None:
        swept.append(sweep_stale(tmp_path))

    with atomic_file(tmp_path / "a.bin", check=sweep) as file:
        file.write(b"whole")
        swept.append(sweep_stale(tmp_path))
    assert swept == [0, 0]
    assert (tmp_path / "a.bin").read_bytes() == b"whole"
