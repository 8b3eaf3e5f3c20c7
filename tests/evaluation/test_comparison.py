import csv
import json

import numpy as np
import pytest
from scipy.stats import wilcoxon

from medp2p.errors import FileError, OutputExistsError
from medp2p.evaluation import Scores, compare, evaluate, write_evaluation
from medp2p.evaluation.comparison import COLUMNS, holm

from .test_case import head


def evaluation(folder, errors, protocol="synthrad2025", shift=0, patients=None):
    """Scores of cases whose predictions are off by the errors given."""
    parts = []
    for number, error in enumerate(errors):
        _, reference, regions, body = head()
        reference = reference.with_voxels(reference.voxels + np.int16(shift))
        predicted = reference.with_voxels(reference.voxels + np.int16(error))
        scores = evaluate(predicted, reference, regions, body=body, case=f"c{number}", protocol=protocol,
                          patient=None if patients is None else patients[number])  # fmt: skip
        parts.append(
            Scores(scores.rows, scores.protocol, scores.patients, {f"c{number}": {"reference_sha256": f"{shift}"}})
        )
    write_evaluation(folder, Scores.combine(parts))
    return folder


def row(found, region, metric):
    return next(r for r in found if (r["region"], r["metric"]) == (region, metric))


def test_paired_differences_and_wins_are_those_of_the_numbers(tmp_path):
    a, b = evaluation(tmp_path / "a", [10, -20, 30, 7]), evaluation(tmp_path / "b", [6, 12, 33, 7])
    found = row(compare(a, b, tmp_path / "c"), "body", "mae")
    assert (found["patients"], found["wins_a"], found["wins_b"], found["ties"]) == (4, 1, 2, 1)
    assert (found["mean_a"], found["mean_b"], found["difference"]) == pytest.approx((16.75, 14.5, -2.25))
    assert found["ci_low"] <= found["difference"] <= found["ci_high"]
    assert found["p"] == pytest.approx(wilcoxon([-4.0, -8.0, 3.0, 0.0], method="approx").pvalue)
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["compare.csv", "compare.html", "compare.json"]
    content = json.loads((tmp_path / "c" / "compare.json").read_text(), parse_constant=pytest.fail)
    assert content["a"] == "a"
    with (tmp_path / "c" / "compare.csv").open(newline="") as file:
        assert tuple(next(csv.reader(file))) == COLUMNS


def test_mean_errors_are_compared_by_their_magnitude(tmp_path):
    a, b = evaluation(tmp_path / "a", [-10, -10]), evaluation(tmp_path / "b", [5, 4])
    found = row(compare(a, b, tmp_path / "c"), "body", "me")
    assert (found["mean_a"], found["mean_b"], found["difference"]) == pytest.approx((-10, 4.5, -5.5))
    assert found["wins_b"] == 2


def test_an_infinite_psnr_wins_and_is_in_no_mean(tmp_path):
    a, b = evaluation(tmp_path / "a", [10, 10, 10]), evaluation(tmp_path / "b", [0, 5, 5])
    found = row(compare(a, b, tmp_path / "c"), "body", "psnr")
    assert found["wins_b"] == 3
    assert np.isfinite(found["mean_b"])
    assert "1 of 3 patients infinite" in found["reason"]


def test_cases_of_one_patient_count_once(tmp_path):
    patients = ["p", "p", "q"]
    a, b = (evaluation(tmp_path / n, e, patients=patients) for n, e in (("a", [10, 20, 5]), ("b", [12, 14, 6])))
    found = row(compare(a, b, tmp_path / "c"), "body", "mae")
    assert (found["patients"], found["wins_a"], found["wins_b"]) == (2, 1, 1)
    assert found["mean_a"] == pytest.approx(10)


@pytest.mark.parametrize(
    ("other", "cause"),
    [
        ({"errors": [10]}, "the cases differ"),
        ({"errors": [10, 20], "protocol": "synthrad2023"}, "the protocols differ"),
        ({"errors": [10, 20], "shift": 1}, "another reference"),
    ],
)
def test_what_differs_is_refused_by_name(tmp_path, other, cause):
    a, b = evaluation(tmp_path / "a", [10, 20]), evaluation(tmp_path / "b", **other)
    with pytest.raises(FileError, match=cause):
        compare(a, b, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_of_many_cases_that_differ_the_first_eight_and_their_number_are_told(tmp_path):
    a, b = evaluation(tmp_path / "a", [10] * 9), evaluation(tmp_path / "b", [10])
    with pytest.raises(FileError, match=r"found c0, expected c0, c1, c2, c3, c4, c5, c6, c7, … \(9 in all\)\)"):
        compare(a, b, tmp_path / "c")


def test_models_that_weigh_different_regions_are_compared_in_the_regions_that_both_have(tmp_path):
    folders = []
    for name, error, weighted in (("plain", 10, []), ("bone", 12, ["bone"]), ("lesion", 7, ["lesion"])):
        _, reference, regions, body = head()
        predicted = reference.with_voxels(reference.voxels + np.int16(error))
        write_evaluation(tmp_path / name, evaluate(predicted, reference, regions, body=body, weighted=weighted))
        folders.append(tmp_path / name)
    for first, second, difference in ((0, 1, 2), (0, 2, -3), (1, 2, -5)):
        found = compare(folders[first], folders[second], tmp_path / f"{first}{second}")
        assert row(found, "lesion", "mae")["difference"] == difference
        for region in ("weighted", "outside"):
            line = row(found, region, "mae")
            assert (line["patients"], line["difference"], line["p"]) == (0, None, None)
            assert line["reason"] == "the two evaluations weigh different regions"
        assert "weighted MAE, " in (tmp_path / f"{first}{second}" / "compare.html").read_text()


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    a = evaluation(tmp_path / "a", [10, 20])
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "other.txt").write_text("kept")
    with pytest.raises(OutputExistsError):
        compare(a, a, tmp_path / "c")
    found = compare(a, a, tmp_path / "c", overwrite=True)
    assert row(found, "body", "mae")["p"] == 1.0
    assert (tmp_path / "c" / "other.txt").read_text() == "kept"


def test_an_output_that_is_a_file_is_refused(tmp_path):
    a = evaluation(tmp_path / "a", [10, 20])
    with pytest.raises(FileError, match="this is a file"):
        compare(a, a, tmp_path / "a" / "report.html", overwrite=True)


def test_holm_is_monotone_and_never_above_one():
    assert holm([0.5, 0.01, 0.9]) == [1.0, 0.03, 1.0]
    assert holm([]) == []
