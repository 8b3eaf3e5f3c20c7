"""A run folder: who may write into it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medp2p.errors import FileError, OutputExistsError
from medp2p.training.run import Run, empty_run_folder, locked, refuse_busy, refuse_run_folder
from tests.faults import before_each_change, temporary_files


def a_run(folder: Path) -> Path:
    folder.mkdir()
    for name in ("config.yaml", "last.pt", "generator.safetensors", "log.txt"):
        (folder / name).write_text("x")
    (folder / "validation").mkdir()
    return folder


def test_a_folder_with_a_run_is_refused_unless_it_shall_go_on_or_anew(tmp_path) -> None:
    folder = a_run(tmp_path / "run")
    with pytest.raises(OutputExistsError, match="--resume"):
        refuse_run_folder(folder, resume=False, overwrite=False)
    refuse_run_folder(folder, resume=True, overwrite=False)
    refuse_run_folder(folder, resume=False, overwrite=True)


@pytest.mark.parametrize("options", [{"resume": True, "overwrite": False}, {"resume": False, "overwrite": True}])
def test_a_folder_with_anything_else_is_refused_in_any_case(tmp_path, options) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileError, match=r"no run .*thesis\.tex"):
        refuse_run_folder(tmp_path, **options)


@pytest.mark.parametrize("name", [".lock", "log.txt", "last.pt", "validation", "samples"])
@pytest.mark.parametrize("options", [{"resume": True, "overwrite": False}, {"resume": False, "overwrite": True}])
def test_no_link_in_a_run_folder_is_written_through(tmp_path, name: str, options: dict[str, bool]) -> None:
    folder = a_run(tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    if (folder / name).is_dir():
        (folder / name).rmdir()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "elsewhere" / ("" if name in ("validation", "samples") else "file"))
    with pytest.raises(FileError, match=f"no run .found {name}"):
        refuse_run_folder(folder, **options)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_that_has_the_name_of_a_file_of_a_run_is_no_runs(tmp_path) -> None:
    (a_run(tmp_path / "run") / ".lock").mkdir()
    refuse_busy(tmp_path / "run")
    with pytest.raises(FileError, match=r"no run .found \.lock"):
        refuse_run_folder(tmp_path / "run", resume=True, overwrite=False)


def test_what_a_killed_start_leaves_counts_as_nothing(tmp_path) -> None:
    for name in (".lock", "log.txt", ".medp2p-host-12-0a1b2c3d.tmp"):
        (tmp_path / name).write_text("")
    refuse_run_folder(tmp_path, resume=False, overwrite=False)


def test_emptying_a_run_touches_nothing_else(tmp_path) -> None:
    folder = a_run(tmp_path / "run")
    (folder / "mine.txt").write_text("kept")
    empty_run_folder(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_run_that_was_half_removed_can_be_trained_over(tmp_path) -> None:
    def stop_before(count: int, what: str) -> None:
        if count == wanted:
            raise InterruptedError

    wanted, killed = 0, True
    while killed:
        wanted, killed = wanted + 1, False
        folder = a_run(tmp_path / str(wanted))
        (folder / "history.csv").write_text("x")
        with before_each_change(folder, stop_before):
            try:
                empty_run_folder(folder)
            except FileError:
                killed = True
        refuse_run_folder(folder, resume=False, overwrite=True)
        assert not ((folder / "last.pt").exists() and not (folder / "validation").exists())
    assert wanted > 8


@pytest.mark.parametrize("lost", [["config.yaml"], ["last.pt"], ["last.pt", "history.csv"], ["config.yaml", "last.pt"]])
def test_a_run_that_has_lost_what_it_needs_to_go_on_is_not_begun_anew_over_its_model(tmp_path, lost) -> None:
    folder = a_run(tmp_path / "run")
    for name in ("model_card.md", "history.csv"):
        (folder / name).write_text("x")
    refuse_run_folder(folder, resume=True, overwrite=False)
    for name in lost:
        (folder / name).unlink()
    with pytest.raises(FileError, match=rf"{lost[0]}: .*--overwrite trains anew, and the model goes"):
        refuse_run_folder(folder, resume=True, overwrite=False)
    refuse_run_folder(folder, resume=False, overwrite=True)
    (folder / ".lock").touch()
    refuse_run_folder(folder, resume=True, overwrite=False)


def test_what_was_half_written_anywhere_in_a_run_goes_with_the_next_start(tmp_path) -> None:
    folder = a_run(tmp_path / "run")
    for place in (folder, folder / "validation"):
        (place / ".medp2p-host-12-0a1b2c3d.tmp").write_text("")
    with locked(folder):
        assert temporary_files(folder) == []


def test_a_folder_that_others_took_is_not_cleared_away(tmp_path) -> None:
    folder = tmp_path / "run"
    with locked(folder) as refuse_lost:
        refuse_lost()
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / ".lock").write_text("another")
        with pytest.raises(FileError, match="removed or replaced") as refused:
            refuse_lost()
    assert refused.value.exit_code == 1
    assert (folder / ".lock").read_text() == "another"


def test_two_trainings_never_share_a_folder(tmp_path) -> None:
    code = (
        "import sys; from pathlib import Path; from medp2p.training.run import locked\n"
        "with locked(Path(sys.argv[1])):\n print('mine', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(FileError, match=f"another training runs.*process {other.pid}"), locked(tmp_path):
            pass
        with pytest.raises(FileError, match=f"another training runs.*process {other.pid}"):
            refuse_busy(tmp_path)
        other.kill()
    refuse_busy(tmp_path)
    refuse_busy(tmp_path / "none")
    with locked(tmp_path):
        assert (tmp_path / ".lock").exists()
    assert not (tmp_path / ".lock").exists()


def test_a_refused_start_leaves_no_folder(tmp_path) -> None:
    folder = tmp_path / "runs" / "new"
    with pytest.raises(FileError, match="nothing to learn"), locked(folder):
        raise FileError(None, "nothing to learn", fix="learn")
    assert not folder.exists()


def test_a_run_is_a_path(tmp_path) -> None:
    assert Path(Run(tmp_path)) == tmp_path
