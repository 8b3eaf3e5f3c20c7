import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.data.resampling import linear_taps, resampled


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.1, 8.0), st.booleans())
def test_the_weights_of_every_new_sample_sum_to_one(n_in, n_out, step, smooth):
    places, weights = linear_taps(n_in, n_out, step, smooth=smooth)
    assert weights.sum(axis=0) == pytest.approx(1.0, abs=1e-6)
    assert weights.min() >= 0
    assert places.min() >= 0
    assert places.max() < n_in


@given(st.integers(2, 30), st.integers(2, 30))
def test_an_axis_that_stays_is_not_touched(height, width):
    plane = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    same = resampled(plane, (1.0, 2.0), (height, width), (1.0, 2.0), False, smooth=True)
    assert np.array_equal(same, plane)


def test_a_mirrored_plane_gives_the_mirrored_result():
    plane = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    one, other = (
        resampled(each, (1.0, 1.0), (27, 19), (0.75, 1.6), False, smooth=True) for each in (plane, plane[::-1, ::-1])
    )
    assert other == pytest.approx(one[::-1, ::-1], abs=1e-5)
