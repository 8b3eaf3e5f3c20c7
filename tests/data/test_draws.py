import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medp2p.data.draws import AUGMENTATION, CROP, order, uniform

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(0, 1000), st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_a_slices_numbers_do_not_depend_on_the_batch_it_is_in(seed, epoch, indices):
    together = uniform(CROP, seed, epoch, indices, 3)
    alone = [uniform(CROP, seed, epoch, [index], 3)[0] for index in indices]
    assert np.array_equal(together, alone)


def test_every_seed_epoch_slice_and_purpose_has_numbers_of_its_own():
    drawn = [
        uniform(purpose, seed, epoch, [index], 2).tobytes()
        for purpose in (CROP, AUGMENTATION)
        for seed in (0, 1)
        for epoch in (0, 1)
        for index in (0, 1)
    ]
    assert len(set(drawn)) == len(drawn)


def test_the_numbers_fill_the_interval_evenly():
    drawn = uniform(CROP, 0, 0, range(4000), 1)
    assert np.histogram(drawn, 4, (0, 1))[0].min() > 900


@given(SEEDS, st.integers(0, 1000), st.integers(0, 300))
def test_an_epoch_goes_through_every_slice_once(seed, epoch, count):
    assert sorted(order(seed, epoch, count).tolist()) == list(range(count))


def test_each_epoch_has_an_order_of_its_own():
    assert order(0, 1, 50).tolist() != order(0, 2, 50).tolist()


def test_the_numbers_are_those_of_every_machine():
    assert order(7, 2, 8).tolist() == KNOWN_ORDER
    assert uniform(CROP, 7, 2, [3], 1)[0, 0] == KNOWN_DRAW


KNOWN_ORDER = [4, 6, 5, 0, 1, 3, 2, 7]
KNOWN_DRAW = 0.9836344382358537
