"""A DICOM series in, a DICOM series out: refused before the work, kept only where it is what is asked for."""

import json
from pathlib import Path

import pydicom
import pytest

from medp2p.errors import ConfigError, FileError, OutputExistsError
from medp2p.translation import Translator, translate
from tests.io import dicom_phantom as phantom
from tests.translation.conftest import MR, description, save
from tests.translation.test_tasks import put

VALUES = phantom.voxels((16, 14, 5), "MR")


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return phantom.write(tmp_path / "mr", modality="MR", values=VALUES)


def patients(folder: Path) -> set[str]:
    return {str(pydicom.dcmread(path).PatientID) for path in folder.iterdir()}


def test_an_empty_folder_is_taken(model: Path, series: Path, tmp_path: Path) -> None:
    (tmp_path / "sct").mkdir()
    translate(model, series, f"{tmp_path}/sct/", device="cpu")
    assert len(list((tmp_path / "sct").iterdir())) == 5


@pytest.mark.parametrize("keep", [True, False])
def test_a_series_is_kept_only_with_the_identity_that_is_asked_for(
    model: Path, series: Path, tmp_path: Path, keep: bool
) -> None:
    translate(model, series, f"{tmp_path}/sct/", device="cpu", keep_identity=keep)
    assert len(translate(model, series, f"{tmp_path}/sct/", device="cpu", keep_identity=keep).kept) == 1
    before = patients(tmp_path / "sct")
    with pytest.raises(OutputExistsError, match="names its patient otherwise than is asked for"):
        translate(model, series, f"{tmp_path}/sct/", device="cpu", keep_identity=not keep)
    assert patients(tmp_path / "sct") == before
    translate(model, series, f"{tmp_path}/sct/", device="cpu", keep_identity=not keep, overwrite=True)
    assert (patients(tmp_path / "sct") == {phantom.SECRETS[1]}) is not keep


@pytest.mark.parametrize("hu", [True, False])
def test_a_series_that_lacks_a_slice_is_not_taken_for_finished(series: Path, tmp_path: Path, hu: bool) -> None:
    target = description().intensity["ct"] if hu else MR.model_copy(update={"limits": (0.0, 900.0)})
    model = save(tmp_path, description(intensity={"mr": MR, "ct": target}))
    translate(model, series, f"{tmp_path}/sct/", device="cpu")
    assert len(translate(model, series, f"{tmp_path}/sct/", device="cpu").kept) == 1
    sorted((tmp_path / "sct").iterdir())[2].unlink()
    with pytest.raises(OutputExistsError, match="no longer as it was made"):
        translate(model, series, f"{tmp_path}/sct/", device="cpu")


def test_where_no_series_can_be_written_is_refused_before_the_work(
    model: Path, series: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(Translator, "load", lambda *_, **__: pytest.fail("the work has begun"))
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "notes.txt").write_text("mine")
    (tmp_path / "ct.json").write_text('{"mine": 1}')
    with pytest.raises(OutputExistsError, match="not empty"):
        translate(model, series, f"{tmp_path}/others/", device="cpu")
    with pytest.raises(OutputExistsError, match="files of others"):
        translate(model, series, f"{tmp_path}/others/", device="cpu", overwrite=True)
    with pytest.raises(OutputExistsError, match="a JSON that medp2p did not write"):
        translate(model, series, f"{tmp_path}/ct/", device="cpu")
    with pytest.raises(FileError, match="the folder around it is not there"):
        translate(model, series, f"{tmp_path}/nowhere/ct/", device="cpu")
    assert json.loads((tmp_path / "ct.json").read_text()) == {"mine": 1}


@pytest.mark.parametrize("place", ["./", "../", "/"])
def test_a_series_needs_a_folder_with_a_name(model: Path, series: Path, tmp_path: Path, monkeypatch, place) -> None:
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    with pytest.raises(ConfigError, match=r"needs a name.*name a new folder, as synthetic_ct/"):
        translate(model, series, place, device="cpu")


def test_a_name_without_a_slash_is_answered_with_both_kinds_of_output(model: Path, series, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"one of these extensions, or sct/ for a DICOM folder"):
        translate(model, series, tmp_path / "sct", device="cpu")


def test_a_file_that_is_a_whole_series_becomes_a_series(model: Path, series: Path, tmp_path: Path) -> None:
    translate(model, next(series.iterdir()), f"{tmp_path}/sct/", device="cpu")
    assert [path.name for path in (tmp_path / "sct").iterdir()] == ["0001.dcm"]


def test_dicom_files_beside_images_are_passed_over_aloud(model: Path, series: Path, tmp_path: Path, caplog) -> None:
    put(series / "converted.nii.gz")
    translate(model, series, tmp_path / "out", device="cpu")
    assert "the DICOM files in" in caplog.text
    assert "a folder of their own" in caplog.text


def test_above_a_series_its_folder_is_named(model: Path, series: Path, tmp_path: Path) -> None:
    (tmp_path / "patient" / "study").mkdir(parents=True)
    series.rename(tmp_path / "patient" / "study" / "mr")
    with pytest.raises(FileError, match=r"nothing to translate.*give one of these: .*patient/study/mr$"):
        translate(model, tmp_path / "patient", tmp_path / "ct.nii.gz", device="cpu")


def test_the_json_of_a_series_is_not_taken_for_that_of_an_image_of_its_name(model, series, tmp_path: Path) -> None:
    translate(model, series, f"{tmp_path}/ct/", device="cpu")
    with pytest.raises(OutputExistsError, match=r"ct\.nii\.gz: .*another image of this name \(found ct\)"):
        translate(model, series, tmp_path / "ct.nii.gz", device="cpu")
    translate(model, series, tmp_path / "sct.nii.gz", device="cpu")
    with pytest.raises(OutputExistsError, match=r"sct: .*another image of this name \(found sct\.nii\.gz\)"):
        translate(model, series, f"{tmp_path}/sct/", device="cpu")
    assert len(translate(model, series, f"{tmp_path}/ct/", device="cpu").kept) == 1


def test_series_for_several_sources_are_asked_for_by_name(tmp_path: Path) -> None:
    model = save(tmp_path, description(
        sources=("t1", "t2"), files={"t1": "t1.nii.gz", "t2": "t2.nii.gz", "ct": "ct.nii.gz"},
        intensity={"t1": MR, "t2": MR, "ct": description().intensity["ct"]},
    ))  # fmt: skip
    for name in ("t1", "t2"):
        phantom.write(tmp_path / "case" / name, modality="MR", values=VALUES)
    with pytest.raises(FileError, match=r"write -i t1=FOLDER -i t2=FOLDER, with folders of these: .*/t1, .*/t2$"):
        translate(model, tmp_path / "case", tmp_path / "ct.nii.gz", device="cpu")
    both = dict.fromkeys(("t1", "t2"), tmp_path / "case" / "t1")
    with pytest.raises(ConfigError, match=r"--series: one series for a model with several sources"):
        translate(model, both, tmp_path / "ct.nii.gz", series="1.2.3", device="cpu")
