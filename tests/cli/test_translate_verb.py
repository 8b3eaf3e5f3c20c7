"""`medp2p translate` as its users meet it: names that cannot be meant."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Answer
from tests.io.dicom_phantom import write as write_series
from tests.translation.conftest import description, save

Command = Callable[..., Answer]


@pytest.fixture
def desk(heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a model, and a cohort of two scans."""
    save(tmp_path, description())
    for head in ("head_001", "head_002"):
        (tmp_path / "cohort" / head).mkdir(parents=True)
        shutil.copy(heads / head / "mr.nii.gz", tmp_path / "cohort" / head / "mr.nii.gz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def translate(medp2p: Command, given: str, output: str, *words: str) -> Answer:
    return medp2p("translate", "generator.safetensors", "-i", given, "-o", output, "--device", "cpu", *words)


@pytest.mark.parametrize(
    ("given", "output", "ending", "images"),
    [
        ("cohort/head_001", "early.png", ".png", ", or an image: .nii.gz,"),
        ("mr=cohort/head_001/mr.nii.gz", "early.DCM", ".dcm", ", or an image: .nii.gz,"),
        ("cohort/head_001", "scores.csv", ".csv", ", or an image: .nii.gz,"),
        ("cohort", "early.nii.gz", ".nii.gz", ")"),
        ("cohort", "early.zip", ".zip", ")"),
    ],
)
def test_no_folder_is_made_under_the_name_of_a_file(
    medp2p: Command, desk: Path, given: str, output: str, ending: str, images: str
) -> None:
    before = sorted(desk.rglob("*"))
    answer = translate(medp2p, given, output)
    assert (answer.code, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    assert line.startswith(f"error: {output}: -o: a folder would be written here, and the name is that of a file")
    assert f"(found {ending}, expected the name of a folder{images}" in line
    assert sorted(desk.rglob("*")) == before


@pytest.mark.parametrize("output", ["out.v2", "2026.11.29", "early.png/", "there.png"])
def test_a_folder_may_have_dots_in_its_name_and_any_name_if_that_is_meant(
    medp2p: Command, desk: Path, output: str
) -> None:
    (desk / "there.png").mkdir()
    answer = translate(medp2p, "cohort/head_001", output)
    assert (answer.code, answer.errors) == (0, [])
    assert Path(answer.out.strip()) == Path(output) / "ct.nii.gz"
    assert (desk / output / "ct.nii.gz").is_file()


def test_of_a_folder_it_is_said_how_many_were_made_kept_and_refused(medp2p: Command, desk: Path) -> None:
    first = translate(medp2p, "cohort", "out")
    assert (first.code, len(first.out.splitlines())) == (0, 2)
    assert first.err.splitlines()[-1] == "2 translated, 0 finished before and kept"
    (desk / "out" / "head_001" / "ct.nii.gz").unlink()
    (desk / "cohort" / "head_003").mkdir()
    (desk / "cohort" / "head_003" / "mr.nii.gz").write_bytes(b"no scan")
    again = translate(medp2p, "cohort", "out")
    assert (again.code, again.out) == (2, "out/head_001/ct.nii.gz\n")
    assert again.err.splitlines()[-2] == "1 translated, 1 finished before and kept, 1 refused"
    assert again.err.splitlines()[-1].startswith("error: cohort/head_003/mr.nii.gz: ")


def test_a_pattern_for_the_input_is_answered_with_what_to_give(medp2p: Command, desk: Path) -> None:
    answer = translate(medp2p, "cohort/{case}/mr.nii.gz", "out")
    assert answer.err.splitlines() == [
        "error: cohort/{case}/mr.nii.gz: no such file or folder. Fix: give the folder itself: -i takes no pattern"
    ]


def test_a_bids_data_set_is_answered_with_the_pipeline_for_it(medp2p: Command, desk: Path) -> None:
    anat = desk / "bids" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    (desk / "cohort" / "head_001" / "mr.nii.gz").rename(anat / "sub-01_T1w.nii.gz")
    (desk / "bids" / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    answer = translate(medp2p, "bids", "out")
    assert (answer.code, (desk / "out").exists()) == (2, False)
    assert len(answer.errors) == 1
    assert answer.errors[0].startswith("error: bids: a BIDS data set")
    assert answer.errors[0].endswith(
        "Fix: use pipelines/bids_contrast.py (docs/how-to/bids-contrast.md), or give one image"
    )


def test_a_slice_of_a_series_is_translated_with_a_word_on_its_folder(medp2p: Command, desk: Path) -> None:
    values = np.arange(16 * 14 * 3).reshape(16, 14, 3).astype(np.int16)
    series = write_series(desk / "series", modality="MR", values=values)
    answer = translate(medp2p, "series/IM0001", "slice.nii.gz")
    assert (answer.code, answer.out, answer.errors) == (0, "slice.nii.gz\n", [])
    warnings = [line for line in answer.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: series/IM0001 is one slice of a series")
    assert warnings[0].endswith(": series")
    assert "one slice" not in translate(medp2p, series.name, "volume.nii.gz").err
