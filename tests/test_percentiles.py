import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medp2p.percentiles import percentiles

WANTED = (0.0, 0.5, 33.3, 50.0, 99.5, 100.0)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_percentiles_are_those_of_numpy_in_float64(kind, order):
    values = np.asarray(np.random.default_rng(0).integers(0, 251, (31, 17, 5)), kind, order=order)
    for array in (values, values[::2, 1:], values.transpose(1, 0, 2)):
        assert percentiles(array, WANTED) == pytest.approx(np.percentile(array.astype(float), WANTED), rel=1e-14)


@pytest.mark.parametrize("largest", [2**64 - 1, 2**63])
def test_integers_beyond_those_with_a_sign_are_counted_too(largest):
    values = np.array([largest, largest - 7], np.uint64)
    assert percentiles(values, (0.0, 100.0)) == pytest.approx((float(largest - 7), float(largest)))


@given(arrays(np.int64, st.integers(1, 40), elements=st.integers(-(2**40), 2**40)))
def test_integers_far_apart_are_sorted_instead_of_counted(values):
    assert percentiles(values, WANTED) == pytest.approx(np.percentile(values.astype(float), WANTED), rel=1e-12)
