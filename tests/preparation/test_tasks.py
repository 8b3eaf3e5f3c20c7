"""Raw scans to a cohort: which cases are prepared."""

from pathlib import Path

import numpy as np
import pytest

from medp2p.errors import ConfigError, FileError
from medp2p.io import write_volume
from medp2p.preparation import prepare
from medp2p.volume import Volume
from tests.io import dicom_phantom

AS_IT_LIES = ("transform=none", "n4=false")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Four cases whose scans are refused as soon as they are read."""
    for case in "abcd":
        (tmp_path / "raw" / case).mkdir(parents=True)
        (tmp_path / "raw" / case / "mr.nii.gz").write_bytes(b"no scan")
    return tmp_path / "raw"


def ball(folder: Path, name: str, *, at_mm: float = 0.0, hu: bool = False) -> None:
    """A ball as MR or CT, its grid shifted along x."""
    inside = sum(((axis - 11.5) / 8) ** 2 for axis in np.indices((24, 24, 24))) < 1
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[0, 3] = at_mm
    folder.mkdir(parents=True, exist_ok=True)
    voxels = np.where(inside, 40 if hu else 300, -1000 if hu else 0).astype(np.int16)
    write_volume(Volume(voxels, affine), folder / f"{name}.nii.gz", overwrite=True)


def test_each_job_of_an_array_takes_its_own_share_of_the_cases(raw: Path, tmp_path: Path) -> None:
    refused = []
    for part in ("1/2", "2/2"):
        with pytest.raises(FileError) as error:
            prepare(raw, tmp_path / "cohort", shard_of=part)
        refused.append([fault.key for fault in error.value.faults])
    assert refused == [["a", "c"], ["b", "d"]]


def test_a_part_that_there_is_not_is_refused_before_anything_is_made(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--shard: no part of the cases \(found 3/2"):
        prepare(raw, tmp_path / "cohort", shard_of="3/2")
    assert not (tmp_path / "cohort").exists()


def test_an_option_that_names_no_channel_is_refused_before_anything_is_made(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        prepare(raw, tmp_path / "cohort", set=["onto=mri", "n4=[mr, t7]"])
    assert str(refused.value).splitlines() == [
        "--set onto: no case has such a channel (found mri, expected mr). Fix: did you mean `mr`?",
        "--set n4: no case has such a channel (found t7, expected mr). Fix: name one of these",
    ]
    assert not (tmp_path / "cohort").exists()


def test_a_cohort_among_the_raw_scans_or_called_like_a_file_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="among the raw scans"):
        prepare(raw, raw / "cohort")
    with pytest.raises(ConfigError, match=r"that of a file \(found \.nii\.gz"):
        prepare(raw, tmp_path / "cohort.nii.gz")
    assert sorted(path.name for path in raw.iterdir()) == ["a", "b", "c", "d"]


def test_other_options_are_no_obstacle_where_nothing_was_made_yet(raw: Path, tmp_path: Path) -> None:
    for options in ([], ["transform=none"]):
        with pytest.raises(FileError, match="no gzip file"):
            prepare(raw, tmp_path / "cohort", set=options)


def test_a_failed_case_is_made_anew_once_its_scans_were_set_right(tmp_path: Path) -> None:
    case = tmp_path / "raw" / "S1"
    ball(case, "ct", hu=True)
    for apart in (500.0, 400.0):
        ball(case, "mr", at_mm=apart)
        with pytest.raises(FileError, match="the registration failed"):
            prepare(tmp_path / "raw", tmp_path / "cohort", set=AS_IT_LIES)
    ball(case, "mr")
    made = prepare(tmp_path / "raw", tmp_path / "cohort", set=AS_IT_LIES).made
    assert made == (tmp_path / "cohort" / "S1",)
    assert not (tmp_path / "cohort" / ".failed" / "S1").exists()


def test_an_empty_mask_of_the_body_is_refused(tmp_path: Path) -> None:
    ball(tmp_path / "raw" / "S1", "mr")
    write_volume(Volume(np.zeros((24, 24, 24), np.uint8), np.diag([4.0, 4, 4, 1])), tmp_path / "raw/S1/body.nii.gz")
    with pytest.raises(FileError, match=r"body\.nii\.gz: S1: the mask of the body is empty"):
        prepare(tmp_path / "raw", tmp_path / "cohort", set=AS_IT_LIES)


def test_a_ct_that_may_not_be_in_hu_is_told(tmp_path: Path, caplog) -> None:
    ball(tmp_path / "raw" / "S1", "ct")
    prepare(tmp_path / "raw", tmp_path / "cohort", set=AS_IT_LIES)
    assert "S1: ct holds nothing below -500, so it may not be in HU" in caplog.text


def test_a_series_further_below_is_refused_and_not_left_out(raw: Path, tmp_path: Path) -> None:
    dicom_phantom.write(raw / "a" / "mr2" / "export" / "series", modality="MR")
    with pytest.raises(FileError, match=r"a/mr2: no scan directly in this folder \(found .*mr2/export/series\)"):
        prepare(raw, tmp_path / "cohort")
