import math

import pytest

from medp2p.evaluation import Scores, protocols
from medp2p.evaluation.comparison import Comparison, compared
from medp2p.evaluation.score_table import MOST_REGIONS, comparison_lines, score_lines


def row(case, region, metric, value, reason=None):
    unit = {"mae": "HU", "psnr": "dB"}.get(metric)
    return {"case": case, "region": region, "label": None, "voxels": 9, "metric": metric, "value": value,
            "unit": unit, "protocol": "synthrad2025", "data_range": 4095.0, "reason": reason}  # fmt: skip


def scores(*rows):
    return Scores(tuple(rows), protocols["synthrad2025"])


def words(lines):
    return [line.split() for line in lines]


def test_a_table_has_the_mean_of_each_region_and_metric():
    values = {"a": 10.0, "b": 30.0}
    rows = [row(case, "body", metric, value) for case, value in values.items() for metric in ("mae", "psnr")]
    assert score_lines(scores(*rows)) == [
        "mean of 2 cases, protocol synthrad2025",
        "region     mae (HU)    psnr (dB)         ssim",
        "body             20           20            -",
    ]


def test_what_is_undefined_is_told_with_the_count():
    rows = [row("a", "lesion", "mae", 5.0), row("b", "lesion", "mae", None, "no voxel")]
    rows += [row(case, "lesion", "ssim", None, "too thin") for case in "ab"]
    rows += [row(case, "lesion", "psnr", math.inf) for case in "ab"]
    lines = score_lines(scores(*rows))
    assert words(lines)[2] == ["lesion", "5", "(1", "of", "2)", "inf", "undefined", "(0", "of", "2)"]
    assert lines[3] == "undefined, or not of every case: scores.csv has the reason of each"


def test_a_run_that_weighs_no_region_has_no_line_for_weights():
    rows = [row("a", "body", "mae", 1.0), row("a", "weighted", "mae", None, "no region weighs above 1")]
    assert [line[0] for line in words(score_lines(scores(*rows)))] == ["one", "region", "body"]


def test_of_many_regions_the_first_are_shown_and_those_that_join_others():
    names = ["volume", "body", *(f"a_muscle_with_a_long_name_number_{n}" for n in range(100)), "weighted", "outside"]
    rows = [row(case, name, metric, None if case == "b" else -1234.5678, "x" * 50)
            for case in "ab" for name in names for metric in ("mae", "psnr", "ssim")]  # fmt: skip
    lines = score_lines(scores(*rows))
    assert len(lines) == MOST_REGIONS + 4
    assert [line[0] for line in words(lines[2:4] + lines[-4:-2])] == ["volume", "body", "weighted", "outside"]
    assert lines[-2] == "… and 84 more regions in summary.csv"
    assert max(map(len, lines)) <= 100


@pytest.fixture
def two():
    """Two evaluations of four patients: B is nearer in the body by 1 to 4 HU, and as good in the volume."""
    first, second = [], []
    for number, case in enumerate("abcd", start=1):
        others = [row(case, "volume", "mae", 40.0), row(case, "lesion", "mae", None, "")]
        first += [row(case, "body", "mae", 50.0), *others]
        second += [row(case, "body", "mae", 50.0 - number), *others]
    return scores(*first), scores(*second)


def lines_of(first, second, tmp_path):
    return comparison_lines(Comparison(tmp_path, tuple(compared(first, second)), "one", "two"))


def test_a_comparison_tells_both_means_and_who_wins_how_often(two, tmp_path):
    lines = lines_of(*two, tmp_path)
    assert lines[:3] == ["A: one", "B: two", "means of A and B over 4 patients, and how many of them each wins"]
    assert words(lines)[4:6] == [["body", "50", "47.5", "0:4", "-", "-"], ["volume", "40", "40", "0:0", "-", "-"]]
    assert lines[-2:] == [
        "body: B is better by 2.5 HU of mae, in 4 of 4 patients",
        "95 % interval of B - A: -3.5 to -1.5 HU",
    ]


def test_the_better_one_does_not_depend_on_the_order(two, tmp_path):
    assert lines_of(*two[::-1], tmp_path)[-2] == "body: A is better by 2.5 HU of mae, in 4 of 4 patients"


def test_equal_evaluations_have_no_winner(two, tmp_path):
    assert lines_of(two[0], two[0], tmp_path)[-1] == "body: A and B have the same mae"


def test_without_a_value_in_both_nobody_wins(tmp_path):
    empty = scores(row("a", "body", "mae", None, "x"))
    assert lines_of(empty, empty, tmp_path)[-1] == "neither can be called better: no value is defined in both"


def test_one_patient_has_no_interval(tmp_path):
    pair = scores(row("a", "body", "mae", 2.0)), scores(row("a", "body", "mae", 1.0))
    assert lines_of(*pair, tmp_path)[-2:] == [
        "body: B is better by 1 HU of mae, in 1 of 1 patients",
        "one patient has no interval",
    ]


def test_an_interval_around_nothing_is_called_so(tmp_path):
    pairs = {"a": (50.0, 40.0), "b": (40.0, 49.0), "c": (40.0, 39.5)}
    first, second = (scores(*(row(case, "body", "mae", pair[k]) for case, pair in pairs.items())) for k in (0, 1))
    assert lines_of(first, second, tmp_path)[-1].endswith("HU, which holds 0: it may be chance")


def test_an_improvement_that_is_sure_has_a_star(tmp_path):
    first = scores(*(row(f"p{n}", "body", "mae", 50.0) for n in range(12)))
    second = scores(*(row(f"p{n}", "body", "mae", 40.0 - n) for n in range(12)))
    lines = lines_of(first, second, tmp_path)
    assert "0:12*" in lines[4]
    assert lines[-3] == "* p < 0.05 after Holm's correction"
