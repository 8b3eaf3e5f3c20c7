"""Verbs as their users meet them: what goes to stdout, what to stderr, and the exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from medp2p.networks import build_generator, reference_state_dict
from tests.conftest import Answer

Command = Callable[..., Answer]


def test_check_says_one_line_where_all_is_sound(medp2p: Command, heads: Path) -> None:
    scan = next(heads.glob("*/ct.nii.gz"))
    answer = medp2p("check", scan)
    assert (answer.code, answer.out, answer.err) == (0, f"{scan}: sound\n", "")


def test_check_says_a_line_for_every_fault(medp2p: Command, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("data: {sources: mr, target: ct, folder: x}\ntraining: {epoks: 3, sed: 1}\n")
    answer = medp2p("check", path)
    assert (answer.code, answer.out, len(answer.errors)) == (2, "", 2)
    answer = medp2p("check", path, "--json")
    assert answer.code == 2
    assert [fault["key"] for fault in json.loads(answer.out)["faults"]] == ["training.epoks", "training.sed"]


def test_info_prints_facts_or_json(medp2p: Command, heads: Path) -> None:
    scan = next(heads.glob("*/regions.nii.gz"))
    assert "orientation:" in medp2p("info", scan).out
    assert json.loads(medp2p("info", scan, "--json").out)["regions"]["brain"]["label"] == 1


def test_info_of_what_is_not_there_is_one_line(medp2p: Command) -> None:
    answer = medp2p("info", "nowhere.nii.gz", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.errors == ["error: nowhere.nii.gz: there is no such file or folder. Fix: check the path as typed"]


def test_phantom_prints_its_cases_and_refuses_a_folder_that_is_not_empty(medp2p: Command, tmp_path: Path) -> None:
    answer = medp2p("phantom", tmp_path / "heads", "--cases", 1, "-q")
    assert (answer.code, answer.out, answer.err) == (0, f"{tmp_path / 'heads' / 'head_001'}\n", "")
    again = medp2p("phantom", tmp_path / "heads", "--cases", 1)
    assert (again.code, again.out) == (2, "")
    assert again.errors[0].startswith(f"error: {tmp_path / 'heads'}: ")


def test_phantom_refuses_an_unknown_kind(medp2p: Command, tmp_path: Path) -> None:
    answer = medp2p("phantom", tmp_path / "heads", "--kind", "foot")
    assert (answer.code, len(answer.errors)) == (2, 1)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights as the reference repository saves them."""
    network = build_generator("unet_128", in_channels=1, out_channels=1, channels=4, norm="batch", dropout=True, seed=5)
    torch.save(reference_state_dict(network), tmp_path / "latest_net_G.pth")
    return tmp_path / "latest_net_G.pth"


def test_imported_weights_translate_and_are_exported_again(
    medp2p: Command, weights: Path, heads: Path, tmp_path: Path
) -> None:
    run, scan, output = tmp_path / "run", next(heads.glob("*/mr.nii.gz")), tmp_path / "sct.nii.gz"
    words = ["--set", "data.sources=[mr]", "--set", "data.target=ct"]
    words += ["--set", "generator.kind=unet_128", "--set", "generator.channels=4"]
    assert medp2p("import", weights, "-o", run, *words).out == f"{run}\n"
    assert medp2p("check", run).out == f"{run}: sound\n"
    translated = medp2p("translate", run, "-i", scan, "-o", output, "--device", "cpu")
    assert (translated.code, translated.out) == (0, f"{output}\n")
    assert "cpu" in translated.err
    refused = medp2p("translate", run, "-i", scan, "-o", tmp_path / "x.nii.gz", "--device", "cuda:77")
    assert (refused.code, "cuda:77" in refused.err) == (2, True)
    exported = medp2p("export", run, "-o", tmp_path / "again.pth")
    assert (exported.code, exported.out) == (0, f"{tmp_path / 'again.pth'}\n")


def test_import_names_what_is_missing(medp2p: Command, weights: Path, tmp_path: Path) -> None:
    answer = medp2p("import", weights, "-o", tmp_path / "run", "--set", "data.sources=mr")
    assert (answer.code, len(answer.errors)) == (2, 1)
    assert "(found no data.target)" in answer.errors[0]
    assert "--set data.target=TARGET" in answer.errors[0]


def test_translate_refuses_a_run_that_is_not_there_at_once(medp2p: Command, tmp_path: Path) -> None:
    answer = medp2p("translate", tmp_path / "run", "-i", "a.nii.gz", "-o", "b.nii.gz")
    assert (answer.code, answer.out) == (2, "")
    assert answer.errors[0].startswith(f"error: {tmp_path / 'run'}: there is no such run")
