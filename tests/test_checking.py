"""`medp2p check`: all faults, and nothing written."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

import medp2p
from medp2p.networks import build_generator, reference_state_dict
from tests.translation.conftest import description, save


def configuration(place: Path, **data: object) -> Path:
    path = place / "run.yaml"
    path.write_text(json.dumps({"data": {"sources": "mr", "target": "ct", **data}}))
    return path


def test_a_sound_configuration_has_no_fault_and_nothing_is_written(heads: Path, tmp_path: Path) -> None:
    path = configuration(tmp_path, folder=str(heads))
    before = sorted(heads.parent.rglob("*"))
    assert medp2p.check(path) == []
    assert sorted(heads.parent.rglob("*")) == before
    assert list(tmp_path.iterdir()) == [path]


def test_every_fault_of_every_case_comes_at_once(heads: Path, tmp_path: Path) -> None:
    first, second, *_ = sorted(path for path in heads.iterdir() if path.is_dir())
    scan = nib.load(second / "mr.nii.gz")
    moved = scan.affine.copy()
    moved[0, 3] += 5
    nib.save(nib.Nifti1Image(np.asanyarray(scan.dataobj), moved), tmp_path / "moved.nii.gz")
    files = {"mr": str(first / "mr.nii.gz"), "ct": str(first / "ct.nii.gz")}
    cases = [
        {"id": "gone", "split": "train", **files, "mr": "nowhere.nii.gz"},
        {"id": "moved", "split": "train", "patient": "P1", "mr": "moved.nii.gz", "ct": str(second / "ct.nii.gz")},
        {"id": "leak", "split": "test", "patient": "P1", **files},
    ]
    said = "\n".join(map(str, medp2p.check(configuration(tmp_path, cases=cases))))
    assert "nowhere.nii.gz" in said
    assert "moved" in said
    assert "P1" in said


def test_a_faulty_configuration_has_its_faults_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("data: {sources: mr, target: ct, folder: x}\ntraining: {epoks: 3}\n")
    assert [(fault.line, fault.key) for fault in medp2p.check(tmp_path / "run.yaml")] == [(2, "training.epoks")]


def test_missing_scans_are_a_fault_of_data_folder(tmp_path: Path) -> None:
    assert [fault.key for fault in medp2p.check(configuration(tmp_path, folder="none"))] == ["data.folder"]


def test_keys_may_be_replaced_as_in_training(heads: Path, tmp_path: Path) -> None:
    path = configuration(tmp_path, folder="none")
    assert medp2p.check(path, set=[f"data.folder={heads}"]) == []
    assert [fault.path for fault in medp2p.check(path, set=["data.foldr=x"])] == ["--set data.foldr"]
    scan = next(heads.glob("*/mr.nii.gz"))
    assert [fault.path for fault in medp2p.check(scan, set=["data.folder=x"])] == ["--set"]


def test_weights_to_begin_with_and_the_store_are_looked_at_too(heads: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = configuration(tmp_path, folder=str(heads), store="file/store")
    content = json.loads(path.read_text()) | {"training": {"start_from": "nowhere.pth"}}
    path.write_text(json.dumps(content))
    assert [fault.key for fault in medp2p.check(path)] == ["training.start_from", "data.store"]


def test_weights_to_begin_with_that_are_no_model_are_a_fault(heads: Path, tmp_path: Path) -> None:
    path = configuration(tmp_path, folder=str(heads))
    (tmp_path / "notes.txt").write_text("no model at all")
    for start in (heads, tmp_path / "notes.txt"):
        assert [fault.path for fault in medp2p.check(path, set=[f"training.start_from={start}"])] == [str(start)]


def test_weights_to_begin_with_of_another_network_are_a_fault(heads: Path, tmp_path: Path) -> None:
    path = configuration(tmp_path, folder=str(heads))
    other = build_generator("resnet_6", in_channels=1, out_channels=1, channels=4, norm="instance")
    torch.save(reference_state_dict(other), tmp_path / "other.pth")
    for start in (tmp_path / "other.pth", save(tmp_path, description())):
        (said,) = medp2p.check(path, set=[f"training.start_from={start}", "generator.channels=4"])
        assert said.path == str(start)
        assert "another generator (found resnet_6 with 4 channels, instance norm" in said.message


def test_weights_are_not_held_against_colours_that_nobody_saw(tmp_path: Path) -> None:
    path = configuration(tmp_path, folder="none", kind="pictures")
    other = build_generator("unet_256", in_channels=3, out_channels=3, channels=4)
    torch.save(reference_state_dict(other), tmp_path / "other.pth")
    said = medp2p.check(path, set=[f"training.start_from={tmp_path / 'other.pth'}", "generator.channels=4"])
    assert [fault.key for fault in said] == ["data.folder"]


def test_a_name_that_no_file_can_have_is_a_fault(tmp_path: Path) -> None:
    (said,) = medp2p.check(configuration(tmp_path, folder="x" * 5000))
    assert (said.key, said.line) == ("data.folder", 1)


def test_a_scan_is_sound_or_refused_by_its_path(heads: Path, tmp_path: Path) -> None:
    scan = next(heads.glob("*/mr.nii.gz"))
    assert medp2p.check(scan) == []
    (tmp_path / "cut.nii.gz").write_bytes(scan.read_bytes()[:2000])
    assert [fault.path for fault in medp2p.check(tmp_path / "cut.nii.gz")] == [str(tmp_path / "cut.nii.gz")]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as an import leaves it."""
    (tmp_path / "run").mkdir()
    save(tmp_path / "run", description())
    (tmp_path / "run" / "provenance.json").write_text('{"seed": 3}')
    (tmp_path / "run" / "config.yaml").write_text("data: {sources: mr, target: ct}\n")
    return tmp_path / "run"


def test_a_sound_run_and_its_model_have_no_fault(run: Path) -> None:
    assert medp2p.check(run) == medp2p.check(run / "generator.safetensors") == []


@pytest.mark.parametrize("place", [-3, 30, 3000])
def test_a_changed_byte_of_a_model_is_found(run: Path, place: int) -> None:
    content = bytearray((run / "generator.safetensors").read_bytes())
    content[place] ^= 1
    (run / "generator.safetensors").write_bytes(content)
    assert [fault.path for fault in medp2p.check(run)] == [str(run / "generator.safetensors")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("provenance.json", "{"),
        ("provenance.json", '{"a": NaN}'),
        ("config.yaml", "data: 3"),
        ("data.yaml", "[1]"),
        ("last.pt", "no state"),
    ],
)
def test_every_file_of_a_run_is_looked_at(run: Path, name: str, content: str) -> None:
    (run / name).write_text(content)
    assert {fault.path for fault in medp2p.check(run)} == {str(run / name)}


def test_a_run_that_has_not_finished_an_epoch_has_no_model(run: Path) -> None:
    (run / "generator.safetensors").unlink()
    assert "has not finished an epoch" in str(medp2p.check(run)[0])


@pytest.mark.parametrize("name", ["nowhere", "nowhere.yaml", "nowhere.nii.gz"])
def test_what_is_not_there_is_a_fault(tmp_path: Path, name: str) -> None:
    assert [fault.path for fault in medp2p.check(tmp_path / name)] == [str(tmp_path / name)]


def test_a_missing_file_hides_no_fault_of_another_case(heads: Path, tmp_path: Path) -> None:
    shutil.copytree(heads, tmp_path / "heads")
    first, second, *_ = sorted(path for path in (tmp_path / "heads").iterdir() if path.is_dir())
    (first / "ct.nii.gz").unlink()
    (second / "mr.nii.gz").write_bytes((second / "mr.nii.gz").read_bytes()[:2000])
    paths = [str(fault.path) for fault in medp2p.check(configuration(tmp_path, folder="heads"))]
    assert str(second / "mr.nii.gz") in paths
    assert any(path.startswith(str(first)) for path in paths)
