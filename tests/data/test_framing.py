import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medp2p.data.framing import pad_to_multiple, pad_to_size, window

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(SIZES, st.integers(1, 32))
def test_padding_to_a_multiple_can_be_taken_off_and_holds_the_value(size, multiple):
    planes = np.random.default_rng(0).normal(size=(2, *size))
    padded, (rows, columns) = pad_to_multiple(planes, multiple, -1.0)
    assert padded.shape[-2] % multiple == padded.shape[-1] % multiple == 0
    assert np.array_equal(padded[..., rows, columns], planes)
    padded = padded.copy()
    padded[..., rows, columns] = -1.0
    assert (padded == -1.0).all()


def test_planes_that_already_fit_are_passed_on_untouched():
    planes = np.ones((2, 8, 16))
    assert pad_to_multiple(planes, 8, -1.0)[0] is planes
    assert pad_to_size(planes, (4, 16), -1.0)[0] is planes


@given(st.integers(1, 50), st.integers(1, 50), st.floats(0, 1))
def test_a_window_reads_and_writes_equal_lengths_within_both_axes(length, wanted, place):
    read, write = window(length, wanted, place)
    assert len(range(length)[read]) == len(range(wanted)[write]) == min(length, wanted)


@given(st.integers(2, 50), st.integers(1, 50))
def test_every_pixel_of_a_wide_axis_is_within_reach_of_some_window(length, wanted):
    places = np.linspace(0, 1, 200)
    covered = {pixel for place in places for pixel in range(length)[window(length, wanted, place)[0]]}
    assert covered == set(range(length))
