"""A missing contrast is made for whoever lacks it, as a derivative that nobody takes for acquired."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import medp2p
from tests.translation.conftest import MR, description, save
from tests.translation.test_tasks import put

PIPELINE = Path(__file__).parents[2] / "pipelines" / "bids_contrast.py"


@pytest.fixture(scope="module")
def pipeline() -> dict:
    return runpy.run_path(str(PIPELINE))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    flair = MR.model_copy(update={"limits": (0.0, 900.0)})
    maps = {"t1": MR, "t2": MR, "flair": flair}
    return save(tmp_path / "run", description(sources=("t1", "t2"), targets=("flair",), intensity=maps)).parent


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    for number, (case, names) in enumerate(
        {"sub-01": "T1w T2w", "sub-02_ses-a": "T1w T2w", "sub-03": "T1w T2w FLAIR", "sub-04": "T1w"}.items()
    ):
        for name in names.split():
            put((tmp_path / "bids").joinpath(*case.split("_"), "anat", f"{case}_{name}.nii.gz"), number)
    return tmp_path / "bids"


def test_whoever_lacks_the_contrast_gets_it_and_nobody_else(pipeline, run, bids, tmp_path, capsys) -> None:
    output = bids / "derivatives" / "medp2p"
    words = [str(run), str(bids), "-o", str(output), "--device", "cpu"]
    assert pipeline["main"](words) == 0
    assert capsys.readouterr().out == "2 made, 1 have it, 1 lack a source\n"
    made = sorted(path.relative_to(output).as_posix() for path in output.rglob("*.nii.gz"))
    assert made == [
        "sub-01/anat/sub-01_desc-synthetic_FLAIR.nii.gz", "sub-02/ses-a/anat/sub-02_ses-a_desc-synthetic_FLAIR.nii.gz",
    ]  # fmt: skip
    image, anat = medp2p.read_volume(output / made[0]), bids / "sub-01" / "anat"
    alone = medp2p.Translator.load(run, device="cpu").translate_all(
        {name: medp2p.read_volume(anat / f"sub-01_{name.upper()}w.nii.gz") for name in ("t1", "t2")}
    )["flair"]
    assert image.same_grid(medp2p.read_volume(anat / "sub-01_T1w.nii.gz"))
    assert np.array_equal(image.voxels, alone.voxels)


def test_the_derivative_says_what_it_is_and_of_what_it_was_made(pipeline, run, bids, tmp_path) -> None:
    output = bids / "derivatives" / "medp2p"
    pipeline["make_contrast"](run, bids, output, device="cpu")
    described = json.loads((output / "dataset_description.json").read_text())
    assert (described["DatasetType"], described["DatasetLinks"]) == ("derivative", {"raw": "../.."})
    sidecar = json.loads((output / "sub-01" / "anat" / "sub-01_desc-synthetic_FLAIR.json").read_text())
    assert sidecar["Sources"] == [f"bids:raw:sub-01/anat/sub-01_{name}.nii.gz" for name in ("T1w", "T2w")]
    assert sidecar["synthetic"] is True
    assert "must not be used" in (output / "README.md").read_text()
    texts = "".join(path.read_text() for path in output.rglob("*") if path.suffix in (".json", ".md"))
    assert str(tmp_path) not in texts


def test_it_goes_on_where_it_stopped_and_one_bad_subject_stops_no_other(pipeline, run, bids, capsys) -> None:
    output = bids / "derivatives" / "medp2p"
    bad = bids / "sub-01" / "anat" / "sub-01_T2w.nii.gz"
    sound = bad.read_bytes()
    bad.write_bytes(b"no image")
    words = [str(run), str(bids), "-o", str(output), "--device", "cpu"]
    assert pipeline["main"](words) == 2
    assert "sub-01_T2w.nii.gz" in capsys.readouterr().err
    (kept,) = output.rglob("*.nii.gz")
    before = kept.stat().st_mtime_ns
    bad.write_bytes(sound)
    assert pipeline["main"](words) == 0
    assert (len(list(output.rglob("*.nii.gz"))), kept.stat().st_mtime_ns) == (2, before)
