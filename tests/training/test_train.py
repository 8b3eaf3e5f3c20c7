"""Training as a whole: what a run folder holds, and that stopping and going on changes nothing."""

import logging
import shutil
import signal
from pathlib import Path

import pytest
import torch

import medp2p
from medp2p.errors import ConfigError, ModelError, OutputExistsError, TrainingError
from medp2p.training import Run, train
from medp2p.training.interruption import Interrupted
from medp2p.training.papers import read_provenance
from medp2p.translation import Translator
from tests.training.runs import assert_same_weights, history, stop_at


def test_a_run_folder_holds_what_the_contract_names(straight: Run) -> None:
    names = {path.name for path in straight.folder.iterdir()}
    assert names == {
        "config.yaml", "data.yaml", "generator.safetensors", "last.pt", "history.csv", "history.png",
        "provenance.json", "model_card.md", "log.txt", "validation", "samples",
    }  # fmt: skip
    assert {path.name for path in (straight.folder / "validation").iterdir()} >= {
        "scores.csv", "summary.csv", "scores.json", "report.html"}  # fmt: skip
    assert len(history(straight)) == 4
    assert straight.scores is not None
    assert {"volume", "body", "brain", "bone", "weighted", "outside"} <= set(straight.scores.regions)


def test_the_last_epoch_is_always_validated(straight: Run) -> None:
    rows = [dict(zip(history(straight)[0], row, strict=True)) for row in history(straight)[1:]]
    assert [bool(row["body_mae"]) for row in rows] == [False, True, True]


def test_no_path_of_a_patient_leaves_the_cohort(straight: Run, heads: Path) -> None:
    cases = [path.name for path in heads.iterdir() if path.is_dir()]
    for path in straight.folder.rglob("*"):
        if path.is_file() and path.name != "data.yaml":
            content = path.read_bytes()
            assert not any(f"{heads.name}/{case}".encode() in content for case in cases), path


def test_what_was_learnt_translates(straight: Run, heads: Path) -> None:
    import medp2p

    scan = medp2p.read_volume(next(heads.glob("*/mr.nii.gz")))
    assert Translator.load(straight, device="cpu")(scan).same_grid(scan)


@pytest.mark.slow
@pytest.mark.parametrize("look", [2, 4, 9, 14, 18, 22])
def test_a_run_told_to_stop_anywhere_goes_on_bitwise(config, straight, tmp_path, look: int) -> None:
    with pytest.raises(Interrupted):
        train(config, run=tmp_path / "run", device="cpu", stop=stop_at(look))
    train(config, run=tmp_path / "run", device="cpu", resume=True)
    assert_same_weights(tmp_path / "run", straight.folder)
    assert history(tmp_path / "run") == history(straight)
    generator = "generator.safetensors"
    assert (tmp_path / "run" / generator).read_bytes() == (straight.folder / generator).read_bytes()


def test_resuming_a_finished_run_changes_no_byte(config, straight) -> None:
    names = ("last.pt", "history.csv", "generator.safetensors", "history.png", "config.yaml", "provenance.json")
    before = {name: (straight.folder / name).read_bytes() for name in names}
    train(config, run=straight.folder, resume=True, device="cpu")
    assert {name: (straight.folder / name).read_bytes() for name in names} == before


def test_more_epochs_go_on_as_if_they_had_been_asked_for_at_once(config, tmp_path) -> None:
    always = ["training.decay_epochs=0", "training.validate_every=1"]
    train(config, run=tmp_path / "short", device="cpu", set=[*always, "training.epochs=1"])
    train(config, run=tmp_path / "short", device="cpu", set=[*always, "training.epochs=2"], resume=True)
    train(config, run=tmp_path / "long", device="cpu", set=[*always, "training.epochs=2"])
    assert_same_weights(tmp_path / "short", tmp_path / "long")
    assert history(tmp_path / "short") == history(tmp_path / "long")


def test_a_run_is_not_trained_over(config, straight) -> None:
    with pytest.raises(OutputExistsError, match="--resume"):
        train(config, run=straight.folder, device="cpu")


@pytest.mark.parametrize("start", ["nowhere", "config.yaml", "."])
def test_weights_to_begin_with_that_are_none_leave_an_older_run_as_it_was(config, straight, tmp_path, start) -> None:
    run = shutil.copytree(straight.folder, tmp_path / "run")
    (tmp_path / "config.yaml").write_text("data: none")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises((ConfigError, ModelError)):
        train(config, run=run, overwrite=True, device="cpu", set=[f"training.start_from={tmp_path / start}"])
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_tracker_that_is_not_installed_is_refused_before_there_is_a_run(config, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("medp2p.config.presence.find_spec", lambda name: None)
    (found,) = medp2p.check(config, set=["training.tracking=mlflow"])
    assert (found.path, found.key) == ("--set training.tracking", None)
    with pytest.raises(ConfigError, match=r"mlflow is not installed. Fix: pip install 'medp2p\[mlflow\]'"):
        train(config, run=tmp_path / "run", device="cpu", set=["training.tracking=mlflow"])
    assert list(tmp_path.iterdir()) == []


def test_another_network_is_refused_by_its_key(config, straight) -> None:
    with pytest.raises(ConfigError, match=r"generator\.channels"):
        train(config, run=straight.folder, device="cpu", resume=True, set=["generator.channels=8"])


@pytest.mark.parametrize("content", ["[" * 100_000, "[1]", '{"input_sha256": 5}', ""])
def test_a_damaged_provenance_is_refused_by_its_file(config, straight, tmp_path, content: str) -> None:
    run = shutil.copytree(straight.folder, tmp_path / "run")
    (run / "provenance.json").write_text(content)
    with pytest.raises(ModelError, match=r"provenance\.json: .*missing or damaged"):
        read_provenance(run)


def test_resuming_where_nothing_is_begins_at_the_beginning(config, straight, tmp_path) -> None:
    train(config, run=tmp_path / "new", device="cpu", resume=True)
    assert_same_weights(tmp_path / "new", straight.folder)


@pytest.mark.parametrize("change", ["training.learning_rate=1e30", "loss.l1_weight=3e38"])
def test_a_training_that_diverges_stops_and_names_its_slices(config, tmp_path, change: str) -> None:
    with pytest.raises(TrainingError, match=r"diverged at epoch 1, step \d+ \(slices .*:\d+"):
        train(config, run=tmp_path / "run", device="cpu", set=[change])
    assert not (tmp_path / "run" / "generator.safetensors").exists()


@pytest.fixture(scope="module")
def without_validation(config, tmp_path_factory) -> Run:
    """The run of a training that holds no case out for validation."""
    run = tmp_path_factory.mktemp("runs") / "without"
    return train(config, run=run, device="cpu", set=["data.split={validation: 0, test: 0.25}"])


def test_without_validation_cases_the_last_epoch_is_kept_and_said(without_validation) -> None:
    made = without_validation
    assert made.scores is None
    said = (made.folder / "log.txt").read_text()
    assert "last epoch" in said
    assert "from so few slices" in said
    assert (made.folder / "generator.safetensors").exists()


def test_a_split_without_cases_is_refused_with_those_that_have_some(without_validation, medp2p, tmp_path) -> None:
    run = without_validation.folder
    answer = medp2p("evaluate", "--run", run, "--split", "validation", "-o", tmp_path / "scores")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines() == [
        f"error: {run}: --split: the run has no cases of this split (found validation, expected test (1), train (3)). "
        "Fix: write --split test"
    ]


def test_a_part_of_the_cases_that_is_empty_is_no_split_without_cases(without_validation, medp2p, tmp_path) -> None:
    answer = medp2p("evaluate", "--run", without_validation.folder, "--shard", "2/2", "-o", tmp_path / "scores")
    assert (answer.code, answer.out) == (2, "")
    assert "--shard: this part of the cases is empty (found 2/2 of 1)" in answer.errors[0]


def test_the_host_program_keeps_its_state(config, tmp_path) -> None:
    def state() -> list[object]:
        root = logging.getLogger()
        ours = logging.getLogger("medp2p")
        handlers = len(root.handlers), len(ours.handlers), signal.getsignal(signal.SIGTERM)
        numbers = torch.random.get_rng_state().sum().item(), torch.get_num_threads(), torch.get_default_dtype()
        return [*handlers, *numbers, root.level, ours.level]

    before = state()
    train(config, run=tmp_path / "run", device="cpu")
    assert state() == before
