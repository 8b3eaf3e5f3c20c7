"""`medp2p info`: what a scan or a run is."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from medp2p.checking import check
from medp2p.describing import info
from medp2p.errors import FileError
from tests.io import dicom_phantom as phantom
from tests.translation.conftest import description, save


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Labels 0 to 2 on a grid of 1 × 2 × 5 mm, stored from left to right and head to foot."""
    voxels = np.zeros((4, 5, 6), np.int16)
    voxels[:2], voxels[2:, :1] = 1, 2
    image = nib.Nifti1Image(voxels, np.diag([1.0, 2.0, -5.0, 1.0]))
    image.set_sform(image.affine, 2)
    image.set_qform(image.affine, 1)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "labels.nii.gz")
    return tmp_path / "labels.nii.gz"


def test_a_scan_is_told_with_its_grid_codes_and_values(scan: Path) -> None:
    known = info(scan)
    assert (known["kind"], known["shape"], known["spacing_mm"]) == ("image", [4, 5, 6], [1.0, 2.0, 5.0])
    assert (known["orientation"], known["sform_code"], known["qform_code"]) == ("RAI", 2, 1)
    assert (known["type"], known["values"]["min"], known["values"]["max"]) == ("int16", 0.0, 2.0)


def test_one_of_several_series_is_told_and_a_series_is_no_label_map(tmp_path: Path) -> None:
    series = phantom.write(tmp_path / "s", modality="MR", values=np.full((4, 5, 3), 7, np.int16))
    uid = pydicom.dcmread(series / "IM0000").SeriesInstanceUID
    for path in phantom.write(tmp_path / "other").iterdir():
        path.rename(series / f"other_{path.name}")
    with pytest.raises(FileError, match="2 series in one folder"):
        info(series)
    known = info(series, series=uid)
    assert (known["kind"], known["shape"], known["regions"]) == ("series", [4, 5, 3], None)
    assert (known["modality"], known["series_number"], known["images"]) == ("MR", 4, 3)
    assert [secret for secret in phantom.SECRETS if secret in str(known)] == []
    assert (len(check(series)), check(series, series=uid)) == (1, [])


def test_regions_are_told_in_ml_by_the_names_beside_them(scan: Path) -> None:
    assert info(scan)["regions"]["1"] == {"label": 1, "voxels": 60, "ml": 0.6}
    (scan.parent / "labels.yaml").write_text("1: brain\n2: bone\n")
    assert info(scan)["regions"] == {
        "brain": {"label": 1, "voxels": 60, "ml": 0.6},
        "bone": {"label": 2, "voxels": 12, "ml": 0.12},
    }


def test_a_scan_that_is_no_label_map_has_no_regions(heads: Path) -> None:
    assert info(next(heads.glob("*/ct.nii.gz")))["regions"] is None


def test_a_run_is_told_with_its_hashes_cases_scores_and_configuration(tmp_path: Path) -> None:
    model = save(tmp_path, description())
    (tmp_path / "config.yaml").write_text("data: {sources: mr, target: ct}\n")
    (tmp_path / "provenance.json").write_text('{"seed": 3, "cases": {"train": ["a", "b"], "test": ["c"]}}')
    (tmp_path / "history.csv").write_text("epoch,loss_g\n1,3\n2,2\n")
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation" / "summary.csv").write_text(
        "region,label,metric,cases,mean\nbody,,mae,2,40.5\nbody,,psnr,1,inf\nbone,2,mae,0,\n"
    )
    known = info(tmp_path)
    json.dumps(known, allow_nan=False)
    assert known["cases"] == {"train": ["a", "b"], "test": ["c"]}
    assert (known["epochs"], known["validation"], known["seed"]) == (2, {"body": {"mae": 40.5}}, 3)
    assert known["configuration"]["training"]["epochs"] == 100
    assert known["translates"] == "mr to ct"
    assert known["sha256"] == info(model)["sha256"]


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        info(tmp_path / "nowhere.nii.gz")


@pytest.mark.parametrize(
    "content", [b"\xff\x91", b"epoch,loss_g\n\n3\nx", b"epoch\n" + b"1" * 200_000, b"loss_g,epoch\n1\n"]
)
def test_a_damaged_history_is_no_obstacle(tmp_path: Path, content: bytes) -> None:
    save(tmp_path, description())
    (tmp_path / "history.csv").write_bytes(content)
    assert info(tmp_path)["epochs"] is None


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "series.zip").write_bytes(b"PK" + bytes(100))
    with pytest.raises(FileError, match=r"series\.zip: no image format.*Fix: unpack it"):
        info(tmp_path / "series.zip")
