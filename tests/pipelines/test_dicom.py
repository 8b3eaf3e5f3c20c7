"""From a DICOM series to a derived one with its page, and the entry point of an algorithm image."""

import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

import medp2p
from tests.io import dicom_phantom as phantom
from tests.translation.conftest import MR, description, save

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "pipelines" / "container"


@pytest.fixture(scope="module")
def pipeline() -> dict:
    return runpy.run_path(str(ROOT / "pipelines" / "mr_dicom_to_synthetic_ct.py"))


@pytest.fixture(scope="module")
def algorithm() -> dict:
    return runpy.run_path(str(CONTAINER / "algorithm.py"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    save(folder, description())
    (folder / "model_card.md").write_text("# Model card\nTrained on <heads>.\n", encoding="utf-8")
    return folder


def head(heads: Path) -> np.ndarray:
    """The MR of a synthetic head as a DICOM array: columns to the left, rows to the back, slices upwards."""
    values = medp2p.read_volume(heads / "head_001" / "mr.nii.gz").to_ras()
    return np.ascontiguousarray(values[::-1, ::-1]).astype(np.int16)


@pytest.fixture
def series(heads: Path, tmp_path: Path) -> Path:
    return phantom.write(tmp_path / "series", modality="MR", values=head(heads), spacing=(4.0, 4.0, 6.0))


def test_a_series_becomes_what_translate_makes_of_it_with_a_page_that_names_nobody(
    pipeline, run, series, tmp_path, capsys
) -> None:
    words = [str(run), str(series), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert pipeline["main"](words) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "report.html")
    medp2p.translate(run, series, tmp_path / "alone.nii.gz", device="cpu")
    alone, made = medp2p.read_volume(tmp_path / "alone.nii.gz"), medp2p.read_volume(tmp_path / "out" / "ct")
    assert made.same_grid(alone)
    assert np.array_equal(made.voxels, alone.voxels)
    first, source = (pydicom.dcmread(next(folder.iterdir())) for folder in (tmp_path / "out" / "ct", series))
    assert first.FrameOfReferenceUID == source.FrameOfReferenceUID
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "not acquired" in page
    assert "Trained on &lt;heads&gt;." in page
    assert len(re.findall("data:image/png", page)) == 6
    assert [secret for secret in (*phantom.SECRETS, source.SeriesInstanceUID, str(tmp_path)) if secret in page] == []
    assert "http:" not in page.replace("http-equiv", "")
    assert pipeline["main"](words) == 2
    assert "out/ct: the folder is not empty" in capsys.readouterr().err
    assert pipeline["main"]([*words, "--overwrite"]) == 0


def test_a_full_output_is_refused_before_a_scan_is_read(pipeline, run, tmp_path, capsys) -> None:
    (tmp_path / "out" / "ct").mkdir(parents=True)
    (tmp_path / "out" / "ct" / "mine.dcm").write_bytes(b"mine")
    assert pipeline["main"]([str(run), str(tmp_path / "nothing"), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "the folder is not empty" in said
    assert "nothing" not in said


@pytest.mark.slow
def test_a_file_as_output_and_a_series_of_no_source_are_refused(pipeline, run, series, tmp_path, capsys) -> None:
    (tmp_path / "file").write_text("mine")
    assert pipeline["main"]([str(run), str(series), "-o", str(tmp_path / "file")]) == 2
    assert "file: the output is no folder" in capsys.readouterr().err
    words = [str(run), str(series), "-o", str(tmp_path / "out"), "--series", "t9=1.2.3"]
    assert pipeline["main"](words) == 2
    assert "--series: no source of the model (found t9, expected mr)" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_several_series_on_grids_of_their_own_are_prepared_onto_the_first(pipeline, heads, tmp_path) -> None:
    both = tmp_path / "both"
    both.mkdir()
    flair = MR.model_copy(update={"limits": (0.0, 900.0)})
    save(both, description(sources=("t1", "t2"), targets=("flair",), intensity={"t1": MR, "t2": MR, "flair": flair}))
    values, options = head(heads), {"modality": "MR", "spacing": (4.0, 4.0, 6.0)}
    t1 = phantom.write(tmp_path / "t1", values=values, **options)
    t2 = phantom.write(tmp_path / "t2", values=values[:-4], origin=(-86.5, -120.25, 33.0), **options)
    report = pipeline["synthesize"](
        both, {"t1": t1, "t2": t2}, tmp_path / "out", prepare=True, settings=["n4=false"], device="cpu"
    )
    assert medp2p.read_volume(tmp_path / "out" / "flair").same_grid(medp2p.read_volume(t1))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["LIMITS.md", "flair", "report.html"]
    assert "No model card" in report.read_text(encoding="utf-8")


def test_a_single_series_is_prepared_on_its_own_grid(pipeline, run, series, tmp_path) -> None:
    pipeline["synthesize"](run, series, tmp_path / "out", prepare=True, settings=["n4=false"], device="cpu")
    pipeline["synthesize"](run, series, tmp_path / "bare", device="cpu")
    made, bare = (medp2p.read_volume(tmp_path / name / "ct") for name in ("out", "bare"))
    assert made.same_grid(bare)
    assert np.array_equal(made.voxels, bare.voxels)


def test_one_of_several_series_is_chosen_by_its_uid_and_nothing_is_left_where_none_is(
    pipeline, run, series, tmp_path, capsys
) -> None:
    uid = pydicom.dcmread(next(series.iterdir())).SeriesInstanceUID
    other = phantom.write(tmp_path / "other", modality="MR")
    for path in other.iterdir():
        shutil.copy(path, series / f"other_{path.name}")
    words = [str(run), str(series), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert (pipeline["main"](words), (tmp_path / "out").exists()) == (2, False)
    assert f"{uid} (MR, number 4" in capsys.readouterr().err
    assert pipeline["main"]([*words, "--series", uid]) == 0
    assert len(list((tmp_path / "out" / "ct").iterdir())) == medp2p.read_volume(series, series=uid).shape[2]


def test_series_that_are_not_those_of_the_model_are_refused(pipeline, run, series, tmp_path, capsys) -> None:
    words = [str(run), f"t1={series}", f"t2={series}", "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert (pipeline["main"](words), capsys.readouterr().err[:14]) == (2, "error: SERIES:")


@pytest.fixture
def mounted(heads: Path, tmp_path: Path) -> Path:
    """The input folder of a challenge: two scans with their masks."""
    for case in ("head_001", "head_002"):
        for name, kind in (("mr", "mri"), ("body", "body")):
            folder = tmp_path / "input" / "images" / kind
            folder.mkdir(parents=True, exist_ok=True)
            volume = medp2p.read_volume(heads / case / f"{name}.nii.gz")
            medp2p.write_volume(volume, folder / f"{case}.mha")
    return tmp_path / "input"


def test_every_scan_of_the_input_has_its_result_and_air_outside_the_body(algorithm, run, mounted, tmp_path) -> None:
    words = ["--model", str(run), "--input", str(mounted), "--output", str(tmp_path / "output"), "--device", "cpu"]
    assert algorithm["main"](words) == 0
    results = sorted((tmp_path / "output" / "images" / "synthetic-ct").iterdir())
    assert [path.name for path in results] == ["head_001.mha", "head_002.mha"]
    scan = mounted / "images" / "mri" / "head_001.mha"
    medp2p.translate(run, scan, tmp_path / "alone.mha", device="cpu")
    made, alone = medp2p.read_volume(results[0]), medp2p.read_volume(tmp_path / "alone.mha")
    body = medp2p.read_volume(mounted / "images" / "body" / "head_001.mha").voxels > 0
    assert made.same_grid(alone)
    assert np.array_equal(made.voxels[body], alone.voxels[body])
    assert set(np.unique(made.voxels[~body])) == {-1000}


def test_without_masks_the_whole_field_is_translated(algorithm, run, mounted, tmp_path) -> None:
    shutil.rmtree(mounted / "images" / "body")
    written = algorithm["run_algorithm"](run, mounted, tmp_path / "output", device="cpu")
    medp2p.translate(run, mounted / "images" / "mri" / "head_001.mha", tmp_path / "alone.mha", device="cpu")
    made, alone = medp2p.read_volume(written[0]), medp2p.read_volume(tmp_path / "alone.mha")
    assert np.array_equal(made.voxels, alone.voxels)


@pytest.mark.parametrize("gone", ["images/mri", "images/body/head_001.mha"])
def test_an_input_without_scans_or_with_masks_of_others_is_refused(
    algorithm, run, mounted, tmp_path, gone, capsys
) -> None:
    path = mounted / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    code = algorithm["main"](["--model", str(run), "--input", str(mounted), "--output", str(tmp_path / "output")])
    assert (code, capsys.readouterr().err[:6]) == (2, "error:")


def test_the_image_is_not_root_and_takes_from_the_clone_what_is_there() -> None:
    lines = (CONTAINER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1] if "$" not in word]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    let_in = (CONTAINER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in copied} <= set(let_in)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001"]
