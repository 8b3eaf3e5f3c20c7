import csv
import json

import pytest

from medp2p.errors import FileError, OutputExistsError
from medp2p.evaluation import SCORE_COLUMNS, Scores, evaluate, read_scores
from medp2p.evaluation.rows import csv_text

from .test_case import head


def scored(**options):
    predicted, reference, regions, body = head(**options)
    return evaluate(predicted, reference, regions, body=body, case="007", patient="P1")


def test_a_csv_of_scores_comes_back_as_it_was(tmp_path):
    scores = scored(error=0)
    scores.to_csv(tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert tuple(found[0]) == SCORE_COLUMNS
    for read, row in zip(found, scores, strict=True):
        assert read["case"] == "007"
        assert (float(read["value"]) if read["value"] else None) == row["value"]
        assert read["reason"] == (row["reason"] or "")
    assert "inf" in {row["value"] for row in found}


def test_scores_json_is_strict_and_comes_back_as_it_was(tmp_path):
    scores = scored(error=0)
    scores.to_json(tmp_path / "scores.json")
    content = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)
    assert content["protocol"]["name"] == "synthrad2025"
    assert "R = 4095" in " ".join(content["protocol"]["details"])
    assert "esearch use only" in content["notice"]
    assert content["produced_by"]["medp2p"]
    infinite = next(r for r in content["scores"] if (r["region"], r["metric"]) == ("body", "psnr"))
    assert infinite["value"] is None
    assert infinite["reason"].startswith("infinite")
    again = read_scores(tmp_path)
    assert list(again) == list(scores)
    assert again.patients == {"007": "P1"}
    assert again.protocol == scores.protocol


def test_nothing_is_written_over_unless_asked(tmp_path):
    scores = scored()
    scores.to_csv(tmp_path / "scores.csv")
    with pytest.raises(OutputExistsError):
        scores.to_csv(tmp_path / "scores.csv")
    scores.to_csv(tmp_path / "scores.csv", overwrite=True)


def test_what_is_no_scores_file_is_refused_by_its_path(tmp_path):
    with pytest.raises(FileError, match=r"no scores\.json here"):
        read_scores(tmp_path)
    (tmp_path / "scores.json").write_text('{"protocol": {"name": "other"}}')
    with pytest.raises(FileError, match=r"scores\.json: this is no scores\.json"):
        read_scores(tmp_path)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\x1b[31m=x"])
def test_text_that_a_spreadsheet_would_compute_is_text(text):
    cell = csv_text([{"region": text}], ["region"]).splitlines()[1]
    assert cell[0] in "'\\"
    assert "\x1b" not in cell
    assert "\t" not in cell


def test_negative_numbers_stay_numbers():
    assert csv_text([{"value": -2.5}], ["value"]) == "value\n-2.5\n"


def test_cases_that_lack_a_region_of_others_get_rows_that_say_so():
    predicted, reference, regions, body = head()
    both = Scores.combine(
        [
            evaluate(predicted, reference, regions, body=body, case="a"),
            evaluate(predicted, reference, body=body, case="b"),
        ]
    )
    lacking = [row for row in both if (row["case"], row["region"]) == ("b", "lesion")]
    assert [row["reason"] for row in lacking] == ["the region holds no voxel in this case"] * 5
    assert lacking[0]["label"] == 3
    pairs = [(row["case"], row["region"], row["metric"]) for row in both]
    assert len(pairs) == len(set(pairs))
    assert {r["cases"] for r in both.summary() if r["region"] == "lesion" and r["metric"] == "mae"} == {1}
