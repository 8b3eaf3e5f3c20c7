"""Every folder of predictions says what they are not, and what is known of the model."""

from pathlib import Path

import pytest

from medp2p.translation import limits_card, translate
from medp2p.translation.model_file import read_header
from tests.io import dicom_phantom as phantom
from tests.translation.conftest import description, save
from tests.translation.test_tasks import put

CARD = "# Model card\n\n## Trained on\n- 7 scans\n\n## Limits\n- heads alone\n\nweights SHA-256: `{}`\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    save(tmp_path / "run", description())
    return tmp_path / "run"


def test_a_folder_of_predictions_holds_what_the_model_was_trained_on_and_what_it_must_not_be_used_for(
    run, tmp_path
) -> None:
    (run / "model_card.md").write_text(CARD.format(read_header(run / "generator.safetensors").sha256))
    put(tmp_path / "in" / "a.nii.gz")
    translate(run, tmp_path / "in", tmp_path / "out", device="cpu")
    said = (tmp_path / "out" / "LIMITS.md").read_text()
    assert "Where they must not be used" in said
    assert "- 7 scans" in said
    assert "- heads alone" in said
    assert str(tmp_path) not in said


def test_the_card_of_other_weights_is_not_taken_for_that_of_these(run) -> None:
    (run / "model_card.md").write_text(CARD.format("0" * 64))
    assert "nothing is known here" in limits_card(run)
    assert "7 scans" not in limits_card(run)
    assert read_header(run / "generator.safetensors").sha256 in limits_card(run)


def test_it_lies_beside_a_folder_that_dicom_files_alone_shall_be_in(run, tmp_path) -> None:
    series = phantom.write(tmp_path / "mr", modality="MR")
    translate(run, series, f"{tmp_path}/sct/", device="cpu")
    assert {path.suffix for path in (tmp_path / "sct").iterdir()} == {".dcm"}
    said = (tmp_path / "sct.LIMITS.md").read_text()
    assert "estimates of HU from -1000 to 2000" in said
    assert [secret for secret in phantom.SECRETS if secret in said] == []


def test_a_file_of_that_name_that_is_no_card_stays(run, tmp_path, caplog) -> None:
    put(tmp_path / "in" / "a.nii.gz")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "LIMITS.md").write_text("mine")
    translate(run, tmp_path / "in", tmp_path / "out", device="cpu")
    assert (tmp_path / "out" / "LIMITS.md").read_text() == "mine"
    assert "is another's" in caplog.text
