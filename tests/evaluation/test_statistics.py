import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.evaluation import SUMMARY_COLUMNS
from medp2p.evaluation.statistics import bootstrap_interval, quantile, summarise


def rows(values, region="body", metric="mae", reason=None):
    return [
        {"case": f"c{i}", "region": region, "label": None, "voxels": 9, "metric": metric, "value": value, "unit": "HU",
         "protocol": "synthrad2025", "data_range": 4095.0, "reason": reason}
        for i, value in enumerate(values)
    ]  # fmt: skip


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_the_numbers_are_those_of_numpy(values):
    (found,) = summarise(rows(values))
    assert tuple(found)[: len(SUMMARY_COLUMNS)] == SUMMARY_COLUMNS
    wanted = {
        "cases": len(values),
        "mean": np.mean(values),
        "std": np.std(values, ddof=1),
        "median": np.median(values),
        "q25": np.percentile(values, 25),
        "q75": np.percentile(values, 75),
        "min": min(values),
        "max": max(values),
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-6)
    assert found["min"] - 1e-6 <= found["ci_low"] <= found["ci_high"] <= found["max"] + 1e-6


def test_empty_values_are_counted_nowhere():
    (found,) = summarise(rows([10.0, None, 20.0, None], reason="too small"))
    assert (found["cases"], found["mean"]) == (2, 15.0)
    assert "2 of 4 cases left out; too small" in found["reason"]


def test_one_infinite_value_makes_mean_and_maximum_infinite_and_leaves_the_spread_out():
    (found,) = summarise(rows([30.0, float("inf"), 40.0], metric="psnr"))
    assert (found["mean"], found["max"], found["min"], found["median"]) == (float("inf"), float("inf"), 30.0, 40.0)
    assert (found["std"], found["ci_low"], found["ci_high"]) == (None, None, None)
    assert "1 of 3 cases infinite" in found["reason"]


def test_one_case_has_no_spread_and_none_has_nothing():
    (one,) = summarise(rows([5.0]))
    assert (one["cases"], one["mean"], one["std"], one["ci_low"]) == (1, 5.0, None, None)
    assert one["reason"] == "one case has no spread"
    (none,) = summarise(rows([None], reason="no voxel"))
    assert (none["cases"], none["mean"], none["reason"]) == (0, None, "1 of 1 cases left out; no voxel")


def test_the_interval_draws_patients_and_not_cases():
    values = np.array([1.0] * 10 + [2.0] * 10)
    by_case = bootstrap_interval(values, [f"c{i}" for i in range(20)])
    by_patient = bootstrap_interval(values, ["a"] * 10 + ["b"] * 10)
    assert by_patient == (1.0, 2.0)
    assert by_case[1] - by_case[0] < 0.6
    assert bootstrap_interval(values, ["a"] * 10 + ["b"] * 10) == by_patient
    (one,) = summarise(rows([1.0, 2.0]), {"c0": "p", "c1": "p"})
    assert (one["std"] is None, one["ci_low"], one["reason"]) == (False, None, "one patient has no interval")


def test_the_interval_is_about_that_of_the_normal_law():
    values = np.random.default_rng(1).normal(50, 10, 400)
    low, high = bootstrap_interval(values, [str(i) for i in range(400)])
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15)


def test_quantiles_stay_defined_beside_infinity():
    values = np.array([1.0, 2.0, np.inf, np.inf])
    assert [quantile(values, q) for q in (0, 0.25, 1)] == [1.0, 1.75, np.inf]
    assert quantile(values, 0.5) == np.inf


def test_data_ranges_that_differ_are_left_out():
    both = rows([1.0, 2.0])
    both[0]["data_range"] = 900.0
    (found,) = summarise(both)
    assert found["data_range"] is None
    assert found["unit"] == "HU"
