import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.data.intensity import IntensityMap, Limits, cohort_limits
from medp2p.errors import ConfigError
from medp2p.percentiles import percentiles

CT = IntensityMap("window", -1024.0, 3071.0, hu=True)
MR = IntensityMap("percentile", 0.5, 99.5)
DTYPES = st.sampled_from([np.uint8, np.int8, np.int16, np.uint16, np.int32, np.float32, np.float64])


def test_every_hounsfield_unit_of_the_window_comes_back_exactly():
    hu = np.arange(-1024, 3072, dtype=np.int16)
    limits = CT.fit(hu)
    assert np.array_equal(np.rint(CT.inverse(CT.forward(hu, limits), limits)), hu)


@given(st.floats(-1e5, 1e5), st.floats(1e-2, 1e5), st.floats(0, 1))
def test_a_value_inside_its_limits_comes_back_to_a_rounding_of_their_width(low, width, place):
    limits = Limits(low, low + width)
    value = np.array([low + place * width])
    back = MR.inverse(MR.forward(value, limits), limits)
    assert back[0] == pytest.approx(value[0], abs=1e-6 * (abs(low) + width))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_what_a_network_sees_is_finite_and_within_minus_one_and_one(values):
    voxels = np.array(values)
    mapped = MR.forward(voxels, MR.fit(voxels))
    assert mapped.dtype == np.float32
    assert np.isfinite(mapped).all()
    assert np.abs(mapped).max() <= 1.0


def test_limits_whose_difference_no_float32_holds_are_mapped_too():
    voxels = np.array([-3e38, 0.0, 3e38], np.float32)
    mapped = MR.forward(voxels, Limits(-3e38, 3e38))
    assert mapped.dtype == np.float32
    assert mapped.tolist() == [-1.0, 0.0, 1.0]


def test_values_beyond_the_window_are_clipped_to_its_ends():
    assert CT.forward(np.array([-3024, 30000]), CT.fit(np.zeros(1))).tolist() == [-1.0, 1.0]


@given(DTYPES, st.integers(1, 400), st.lists(st.floats(0, 100), min_size=1, max_size=3))
def test_percentiles_equal_those_of_numpy_in_float64(dtype, count, wanted):
    voxels = (np.random.default_rng(count).normal(size=count) * 60).astype(dtype)
    assert percentiles(voxels, wanted) == pytest.approx(np.percentile(voxels.astype(np.float64), wanted).tolist())


def test_unsigned_values_do_not_wrap():
    assert percentiles(np.array([65535, 0], np.uint16), (0.0, 50.0, 100.0)) == (0.0, 32767.5, 65535.0)


def test_percentiles_do_not_depend_on_how_the_scan_is_stored():
    voxels = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    assert MR.fit(voxels) == MR.fit(voxels[::-1].transpose(2, 0, 1))


@pytest.mark.parametrize("value", [0, 7, -3])
def test_a_constant_scan_stays_finite_and_is_told(value):
    limits = MR.fit(np.full((3, 3, 3), value))
    mapped = MR.forward(np.full((3, 3, 3), value), limits)
    assert limits.constant
    assert (mapped == -1.0).all()
    assert (MR.inverse(mapped, limits) == value).all()


def test_a_few_bright_voxels_on_black_are_not_taken_for_a_constant_scan():
    voxels = np.zeros(10_000, np.int16)
    voxels[:3] = 50
    assert MR.fit(voxels) == Limits(0.0, 50.0)


def test_the_cohorts_limits_are_the_medians_of_both_ends():
    assert cohort_limits([Limits(0, 10), Limits(1, 30), Limits(5, 20)]) == Limits(1.0, 20.0)


@pytest.mark.parametrize("intensity", [CT, MR])
def test_a_map_survives_the_text_of_a_model_file(intensity):
    assert IntensityMap.from_dict(json.loads(json.dumps(intensity.to_dict()))) == intensity


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("zscore", 0, 1), ("window", 5, 5), ("percentile", -1, 99), ("percentile", 1, 101), ("window", float("nan"), 1)],
)
def test_a_map_that_cannot_be_is_refused(kind, low, high):
    with pytest.raises(ConfigError):
        IntensityMap(kind, low, high)


@pytest.mark.parametrize("values", [{}, {"kind": "window", "low": "a", "high": 1, "hu": False}])
def test_a_damaged_map_of_a_model_file_is_refused(values):
    with pytest.raises(ConfigError):
        IntensityMap.from_dict(values)
