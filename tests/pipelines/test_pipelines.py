"""The pipelines tell their stories from end to end, on synthetic heads, through the public face alone."""

import ast
import csv
import runpy
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = [
    "preparation.spacing_mm=[4.0,4.0]", "preparation.size=[128,128]", "generator.kind=unet_128", "generator.channels=2",
    "discriminator.channels=2", "discriminator.layers=1", "training.epochs=1", "training.decay_epochs=0",
    "training.batch_size=8", "training.precision=fp32",
]  # fmt: skip


def pipeline(name: str) -> dict:
    return runpy.run_path(str(ROOT / "pipelines" / f"{name}.py"))


@pytest.fixture
def config(heads: Path, tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(heads, tmp_path / "data" / "mr2ct")
    return tmp_path / "configs" / "mr2ct.yaml"


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").rglob("*.py")), ids=lambda path: path.stem)
def test_a_pipeline_imports_medp2p_only_as_a_whole(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    sources = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert [name for name in sources + names if name and name.startswith("medp2p.")] == []


@pytest.mark.slow
def test_cross_validation_tests_every_patient_once_and_goes_on_where_it_stopped(config: Path, tmp_path: Path) -> None:
    cross_validate = pipeline("cross_validation")["cross_validate"]
    scores = cross_validate(config, tmp_path / "folds", folds=2, device="cpu", settings=SMALL)
    assert sorted(scores.cases) == ["head_001", "head_002", "head_003", "head_004"]
    assert (tmp_path / "folds" / "scores" / "summary.csv").exists()
    held_out = []
    for fold in ("fold_1", "fold_2"):
        with (tmp_path / "folds" / fold / "cases.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["split"] for row in rows].count("validation") == 1
        held_out += [row["id"] for row in rows if row["split"] == "test"]
    assert sorted(held_out) == sorted(scores.cases)
    weights = tmp_path / "folds" / "fold_1" / "run" / "generator.safetensors"
    before = weights.stat().st_mtime_ns
    again = cross_validate(config, tmp_path / "folds", folds=2, device="cpu", settings=SMALL)
    assert (list(again), weights.stat().st_mtime_ns) == (list(scores), before)


@pytest.mark.slow
def test_too_many_folds_for_the_patients_are_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    code = pipeline("cross_validation")["main"]([str(config), "-o", str(tmp_path / "folds"), "--folds", "5"])
    assert (code, capsys.readouterr().err[:6]) == (2, "error:")


@pytest.mark.slow
def test_a_folder_of_scans_becomes_predictions_and_scores(config: Path, tmp_path: Path, medp2p) -> None:
    words = [word for value in SMALL for word in ("--set", value)]
    assert medp2p("train", config, "--run", tmp_path / "run", "--device", "cpu", *words).code == 0
    for name in ("mr", "ct", "regions"):
        (tmp_path / name).mkdir()
        for case in ("head_001", "head_002"):
            shutil.copy(tmp_path / "data" / "mr2ct" / case / f"{name}.nii.gz", tmp_path / name / f"{case}.nii.gz")
    main = pipeline("nifti_folder")["main"]
    words = [tmp_path / "run", tmp_path / "mr", tmp_path / "out", "--references", tmp_path / "ct", "--device", "cpu"]
    words += ["--regions", tmp_path / "regions", "--names", tmp_path / "data" / "mr2ct" / "labels.yaml"]
    assert main([str(word) for word in words]) == 0
    made = sorted(path.name for path in (tmp_path / "out" / "predicted").glob("*.nii.gz"))
    assert made == ["head_001.nii.gz", "head_002.nii.gz"]
    assert "bone" in (tmp_path / "out" / "scores" / "summary.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_weight_of_a_region_is_swept_and_gain_and_price_stand_side_by_side(config: Path, tmp_path: Path) -> None:
    sweep = pipeline("lesion_emphasis")["sweep"]
    points = sweep(config, tmp_path / "out", region="bone", weights=[1, 8], device="cpu", settings=SMALL)
    assert [point.weight for point in points] == [1, 8]
    assert points[0].region_mae != points[1].region_mae
    with (tmp_path / "out" / "tradeoff.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["region_mae"]) for row in rows] == [point.region_mae for point in points]
    assert [int(row["cases"]) for row in rows] == [1, 1]
    assert (tmp_path / "out" / "tradeoff.png").read_bytes().startswith(b"\x89PNG")
    assert sweep(config, tmp_path / "out", region="bone", weights=[1, 8], device="cpu", settings=SMALL) == points
