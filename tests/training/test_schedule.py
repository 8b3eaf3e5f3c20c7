"""The learning rate of an epoch."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.training.schedule import learning_rate_factor


@pytest.mark.parametrize(("epoch", "factor"), [(1, 1.0), (100, 1.0), (101, 100 / 101), (200, 1 / 101)])
def test_the_rates_are_those_of_the_reference(epoch: int, factor: float) -> None:
    assert learning_rate_factor(epoch, 100, 100) == pytest.approx(factor, abs=1e-15)


@given(st.integers(0, 50), st.integers(0, 50))
def test_the_rate_never_rises_and_stays_above_zero(epochs: int, decay_epochs: int) -> None:
    factors = [learning_rate_factor(epoch, epochs, decay_epochs) for epoch in range(1, epochs + decay_epochs + 1)]
    assert all(first >= second > 0 for first, second in pairwise(factors))
