"""What a training survives: a kill at any change of its folder, a full disk, a folder that vanishes, other scans."""

import errno
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from medp2p.errors import FileError, Medp2pError
from medp2p.io import read_volume, write_volume
from medp2p.training import Run, train
from medp2p.training.checkpoint import load_checkpoint
from medp2p.training.held_out import evaluate_run
from medp2p.training.interruption import Interrupted
from medp2p.training.run import refuse_run_folder
from medp2p.translation import Translator
from tests.faults import failing, moments, temporary_files
from tests.training.runs import assert_same_weights, history, stop_at


@pytest.fixture(scope="module")
def killed(config: Path, straight: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a kill at each change of a run folder would leave, in folders named 1, 2, …; the scans are prepared."""
    folder = tmp_path_factory.mktemp("killed")
    run = straight.folder.parent / "watched"
    run.mkdir()
    with moments(run, folder):
        train(config, run=run, device="cpu")
    shutil.rmtree(run)
    return folder


def states(killed: Path) -> list[Path]:
    return sorted(killed.iterdir(), key=lambda path: int(path.name))


def test_a_kill_at_any_change_leaves_nothing_that_is_half(killed: Path) -> None:
    found = states(killed)
    assert len(found) > 80
    for state in found:
        refuse_run_folder(state, resume=True, overwrite=False)
        refuse_run_folder(state, resume=False, overwrite=True)
    for path in distinct(killed.rglob("*.json")):
        json.loads(path.read_text())
    for path in distinct(killed.rglob("last.pt")):
        load_checkpoint(path)
    for path in distinct(killed.rglob("generator.safetensors")):
        Translator.load(path, device="cpu")


def distinct(paths: Iterable[Path]) -> Iterable[Path]:
    """One file for each content."""
    return {path.read_bytes(): path for path in paths}.values()


def same_run(folder: Path, straight: Run) -> bool:
    """Whether a run is that of a training without a stop, bitwise, and holds nothing else."""
    assert_same_weights(folder, straight.folder)
    names = [{path.relative_to(run) for path in run.rglob("*")} for run in (folder, straight.folder)]
    exact = ("generator.safetensors", "model_card.md", "provenance.json", "validation/scores.csv")
    return (
        names[0] == names[1]
        and history(folder) == history(straight.folder)
        and all((folder / name).read_bytes() == (straight.folder / name).read_bytes() for name in exact)
    )


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.02, 0.3, 0.36, 0.45, 0.6, 0.75, 0.9, 1.0])
def test_a_killed_run_goes_on_as_if_it_had_not_been(config, straight, killed, part: float) -> None:
    found = states(killed)
    left = found[round(part * (len(found) - 1))]
    run = shutil.copytree(left, straight.folder.parent / f"again_{left.name}")  # beside the same prepared planes
    train(config, run=run, device="cpu", resume=True)
    assert same_run(run, straight)


def test_a_run_that_is_replaced_is_never_half_gone_on_with(config, straight, tmp_path) -> None:
    run = shutil.copytree(straight.folder, tmp_path / "run")
    old = {path.relative_to(run) for path in run.rglob("*")}
    with moments(run, tmp_path / "killed"), pytest.raises(Interrupted):
        train(config, run=run, device="cpu", overwrite=True, stop=stop_at(5 + 1))  # four cases are checked first
    for state in states(tmp_path / "killed"):
        refuse_run_folder(state, resume=True, overwrite=False)
        state_is_old = (state / "last.pt").exists() and load_checkpoint(state / "last.pt")[1].epoch > 1
        assert not state_is_old or old <= {path.relative_to(state) for path in state.rglob("*")}


def test_being_stopped_while_scans_are_checked_leaves_no_folder(config, straight) -> None:
    with pytest.raises(Interrupted) as told:
        train(config, run=straight.folder.parent / "stopped", device="cpu", stop=stop_at(2))
    assert not told.value.saved
    assert not (straight.folder.parent / "stopped").exists()


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, *(pytest.param(e, marks=pytest.mark.slow) for e in (errno.EROFS, errno.EIO))]
)
def test_a_disk_that_takes_nothing_more_ends_the_run_with_its_last_state(config, straight, number: int) -> None:
    run = shutil.copytree(straight.folder, straight.folder.parent / f"full_{number}")
    before = (run / "last.pt").read_bytes()
    more = {"config": config, "run": run, "device": "cpu", "resume": True}
    epochs = ["training.epochs=3", "training.validate_every=1"]
    with failing(run, range(9, 999), number), pytest.raises(FileError, match=r"cannot be (written|made)") as refused:
        train(**more, set=epochs)
    assert str(run) in refused.value.faults[0].path
    assert refused.value.exit_code == 1
    assert (run / "last.pt").read_bytes() == before
    assert temporary_files(run) == []
    train(**more, set=epochs)


@pytest.mark.parametrize("when", ["epoch 2", pytest.param("translating", marks=pytest.mark.slow)])
def test_a_folder_that_vanishes_is_told_and_not_made_again(config, straight, when: str) -> None:
    run = straight.folder.parent / "vanishing"

    def vanish(done: int, total: int, what: str) -> None:
        if when in what:
            shutil.rmtree(run, ignore_errors=True)

    with pytest.raises(FileError, match=r"vanishing.* removed or replaced") as refused:
        train(config, run=run, device="cpu", progress=vanish)
    assert refused.value.exit_code == 1
    assert not run.exists()


@pytest.mark.slow
def test_a_folder_that_is_another_runs_by_now_is_left_alone(config, straight) -> None:
    run = straight.folder.parent / "replaced"

    def replace(done: int, total: int, what: str) -> None:
        if "epoch 2" in what and (run / "config.yaml").exists():
            shutil.rmtree(run)
            run.mkdir()
            (run / ".lock").write_text("another")

    with pytest.raises(FileError, match="removed or replaced"):
        train(config, run=run, device="cpu", progress=replace)
    assert [path.name for path in run.iterdir()] == [".lock"]


def test_scans_that_change_while_they_are_trained_on_are_named(config, straight, heads, tmp_path) -> None:
    cohort = shutil.copytree(heads, tmp_path / "cohort")
    case = json.loads((straight.folder / "provenance.json").read_text())["cases"]["validation"][0]

    def change(done: int, total: int, what: str) -> None:
        if "epoch 1" in what and done == 1:
            scan = read_volume(cohort / case / "ct.nii.gz")
            write_volume(scan.with_voxels(scan.voxels // 2), cohort / case / "ct.nii.gz", overwrite=True)

    with pytest.raises(Medp2pError, match=rf"ct\.nii\.gz: {case}: files .* no longer those that the run"):
        train(config, run=tmp_path / "run", device="cpu", progress=change,
              set=[f"data.folder={cohort}", "training.validate_every=1"])  # fmt: skip


def test_scans_that_are_no_longer_those_of_the_run_are_not_scored(straight, tmp_path) -> None:
    run = shutil.copytree(straight.folder, straight.folder.parent / "with_other_scans")
    known = json.loads((run / "provenance.json").read_text())
    for case in known["cases"]["validation"]:
        known["input_sha256"][case]["ct"] = "0" * 64
    (run / "provenance.json").write_text(json.dumps(known))
    with pytest.raises(Medp2pError, match=r"ct\.nii\.gz: .*no longer those that the run was made with"):
        evaluate_run(run, output=tmp_path / "scores", split="validation", device="cpu")
    assert not (tmp_path / "scores").exists()
