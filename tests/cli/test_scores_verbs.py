"""`medp2p evaluate` and `medp2p compare` as their users meet them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import Answer

Command = Callable[..., Answer]
FILES = ["scores.csv", "summary.csv", "scores.json", "report.html"]


@pytest.fixture
def cohort(heads: Path, tmp_path: Path) -> Path:
    """Predictions of a part of two heads, 10 and 20 HU too high, and their references."""
    for head in sorted(path for path in heads.iterdir() if path.is_dir())[:2]:
        scan = nib.load(head / "ct.nii.gz")
        voxels = np.asanyarray(scan.dataobj).astype(np.int16)[:28, :34, 8:16]
        for name, error in (("reference", 0), ("p10", 10), ("p20", 20)):
            (tmp_path / name).mkdir(exist_ok=True)
            image = nib.Nifti1Image(voxels + np.int16(error), scan.affine)
            image.header.set_xyzt_units("mm")
            nib.save(image, tmp_path / name / f"{head.name}.nii.gz")
    return tmp_path


def evaluate(medp2p: Command, cohort: Path, predicted: str, *words: object) -> Answer:
    return medp2p(
        "evaluate", "-p", cohort / predicted, "-r", cohort / "reference", "-o", cohort / "out" / predicted, *words
    )


def test_the_files_written_are_the_result(medp2p: Command, cohort: Path) -> None:
    answer = evaluate(medp2p, cohort, "p10")
    assert (answer.code, answer.out.splitlines()) == (0, [str(cohort / "out" / "p10" / name) for name in FILES])
    rows = list(csv.DictReader((cohort / "out" / "p10" / "scores.csv").read_text().splitlines()))
    assert {float(row["value"]) for row in rows if (row["region"], row["metric"]) == ("volume", "mae")} == {10.0}


def test_a_case_that_is_refused_is_said_after_the_others_were_scored(medp2p: Command, cohort: Path) -> None:
    next((cohort / "p10").iterdir()).write_bytes(b"no scan")
    answer = evaluate(medp2p, cohort, "p10")
    assert (answer.code, len(answer.errors)) == (2, 1)
    assert answer.out.splitlines() == [str(cohort / "out" / "p10" / name) for name in FILES]


def test_json_is_the_result_for_programs(medp2p: Command, cohort: Path) -> None:
    assert len(json.loads(evaluate(medp2p, cohort, "p10", "--json").out)["cases"]) == 2
    evaluate(medp2p, cohort, "p20")
    words = ["compare", cohort / "out" / "p10", cohort / "out" / "p20", "-o", cohort / "compared"]
    assert json.loads(medp2p(*words, "--json").out)["schema"] == "medp2p.comparison"


def test_how_good_it_is_is_said_on_stderr_and_the_files_alone_on_stdout(medp2p: Command, cohort: Path) -> None:
    answer = evaluate(medp2p, cohort, "p10")
    assert answer.out.splitlines() == [str(cohort / "out" / "p10" / name) for name in FILES]
    said = answer.err.splitlines()
    assert said[0] == "mean of 2 cases, protocol synthrad2025"
    assert [line.split()[:2] for line in said[1:4]] == [["region", "mae"], ["volume", "10"], ["body", "10"]]
    assert max(map(len, said)) <= 100
    again = evaluate(medp2p, cohort, "p10", "--overwrite", "-q")
    assert (again.code, again.out, again.err) == (0, answer.out, "")


def test_who_wins_is_said_on_stderr(medp2p: Command, cohort: Path) -> None:
    for name in ("p10", "p20"):
        evaluate(medp2p, cohort, name)
    answer = medp2p("compare", cohort / "out" / "p20", cohort / "out" / "p10", "-o", cohort / "compared")
    assert [Path(line).name for line in answer.out.splitlines()] == ["compare.csv", "compare.json", "compare.html"]
    said = answer.err.splitlines()
    assert said[:2] == ["A: p20", "B: p10"]
    assert ["volume", "20", "10", "0:2"] in [line.split()[:4] for line in said]
    assert "body: B is better by 10 HU of mae, in 2 of 2 patients" in said
    assert max(map(len, said)) <= 100


def test_a_comparison_names_its_files(medp2p: Command, cohort: Path) -> None:
    evaluate(medp2p, cohort, "p10")
    evaluate(medp2p, cohort, "p20")
    words = ["compare", cohort / "out" / "p10", cohort / "out" / "p20", "-o", cohort / "compared"]
    answer = medp2p(*words)
    assert answer.code == 0
    assert [Path(line).is_file() for line in answer.out.splitlines()] == [True, True, True]
    assert medp2p(*words).code == 2


def test_a_label_map_of_the_predictions_gives_dice_and_distance(medp2p: Command, cohort: Path) -> None:
    for name, shift in (("own", 1), ("true", 0)):
        (cohort / name).mkdir()
        for path in sorted((cohort / "reference").iterdir()):
            scan = nib.load(path)
            bone = np.roll((np.asanyarray(scan.dataobj) > 250).astype(np.uint8), shift, axis=2)
            nib.save(nib.Nifti1Image(bone, scan.affine), cohort / name / path.name)
    words = ["-m", cohort / "true", "--predicted-regions", cohort / "own"]
    answer = evaluate(medp2p, cohort, "p10", *words)
    assert answer.code == 0
    assert answer.err.splitlines()[-1].startswith("regions are called by their numbers; a label table gives them names")
    rows = list(csv.DictReader((cohort / "out" / "p10" / "scores.csv").read_text().splitlines()))
    found = [float(row["value"]) for row in rows if (row["region"], row["metric"]) == ("1", "dice")]
    assert len(found) == 2
    assert all(0.3 < value < 1 for value in found)


def test_a_label_table_is_not_asked_for_where_one_was_given(medp2p: Command, cohort: Path) -> None:
    (cohort / "names.yaml").write_text('1: "007"\n')
    (cohort / "regions").mkdir()
    for path in sorted((cohort / "reference").iterdir()):
        scan = nib.load(path)
        labels = (np.asanyarray(scan.dataobj) > 250).astype(np.uint8)
        nib.save(nib.Nifti1Image(labels, scan.affine), cohort / "regions" / path.name)
    answer = evaluate(medp2p, cohort, "p10", "-m", cohort / "regions", "--names", cohort / "names.yaml")
    assert answer.code == 0
    assert "007" in answer.err
    assert "called by their numbers" not in answer.err


def test_an_evaluation_that_is_there_is_not_replaced_unasked(medp2p: Command, cohort: Path) -> None:
    evaluate(medp2p, cohort, "p10")
    again = evaluate(medp2p, cohort, "p10")
    assert (again.code, again.out) == (2, "")
    assert evaluate(medp2p, cohort, "p10", "--overwrite").code == 0


@pytest.mark.parametrize(
    ("argument", "words", "found", "meant"),
    [
        ("-r", "reference/{cas}.nii.gz", "{cas}", "reference/{case}.nii.gz"),
        ("-m", "{patient}/regions.nii.gz", "{patient}", "{case}/regions.nii.gz"),
        ("-b", "body/{case}/{Case}.nii.gz", "{Case}", "body/{case}/{case}.nii.gz"),
        ("-p", "p10/{id}.nii.gz", "{id}", "p10/{case}.nii.gz"),
    ],
)
def test_an_unknown_placeholder_is_told_with_the_one_there_is(
    medp2p: Command, cohort: Path, monkeypatch: pytest.MonkeyPatch, argument: str, words: str, found: str, meant: str
) -> None:
    monkeypatch.chdir(cohort)
    given = {"-p": "p10", "-r": "reference", argument: words}
    answer = medp2p("evaluate", *[word for pair in given.items() for word in pair], "-o", "out")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines() == [
        f"error: {argument}: no such placeholder (found {found} in {words}, expected {{case}}, the only one: "
        f"it stands for the case). Fix: did you mean {meant}"
    ]


def test_braces_in_a_name_that_is_there_are_a_part_of_it(medp2p: Command, cohort: Path) -> None:
    (cohort / "reference").rename(cohort / "{acquired}")
    pattern = cohort / "{acquired}" / "{case}.nii.gz"
    words = ["-p", cohort / "p10", "-o", cohort / "out"]
    assert medp2p("evaluate", *words, "-r", pattern).code == 0
    assert medp2p("evaluate", *words, "-r", cohort / "{acquired}", "--overwrite").code == 0


def test_what_is_wrong_with_an_argument_is_said_once_and_not_for_every_case(medp2p: Command, cohort: Path) -> None:
    answer = medp2p("evaluate", "-p", cohort / "p10", "-r", "nowhere", "-o", cohort / "out")
    assert answer.err.splitlines() == ["error: nowhere: -r: no such file or folder. Fix: check the path"]


def test_scores_go_into_a_folder_of_any_name(medp2p: Command, cohort: Path) -> None:
    scores, compared = cohort / "first.nii.gz", cohort / "a.csv"
    given = ["-p", cohort / "p10", "-r", cohort / "reference"]
    assert medp2p("evaluate", *given, "-o", scores).code == 0
    assert medp2p("compare", scores, scores, "-o", compared).code == 0
    assert (scores / "scores.csv").is_file()
    assert compared.is_dir()
