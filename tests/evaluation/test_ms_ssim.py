import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medp2p.evaluation.ms_ssim import left_at_last_level, ms_ssim
from medp2p.evaluation.one_pass import View
from medp2p.evaluation.scored_region import of_mask

from . import oracles
from .pairs import make_pair

CT = View(-1024, 3071, 4095)


@pytest.mark.parametrize("name", ["volume", "box", "speckle", "rim"])
def test_ms_ssim_is_that_of_the_steps_written_down(pair, name):
    mask = pair.masks[name]
    found = ms_ssim(pair.predicted, pair.reference, of_mask("it", mask), CT)
    wanted = oracles.ms_ssim(pair.predicted, pair.reference, mask, -1024, 3071)
    assert found == pytest.approx(wanted, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(("edge", "defined"), [(6, False), (16, False), (24, False), (40, True)])
def test_a_small_mask_has_no_ms_ssim(edge, defined):
    pair = make_pair((64, 64, 40), seed=1)
    mask = np.zeros((64, 64, 40), bool)
    mask[5 : 5 + edge, 5 : 5 + edge, 10:30] = True
    found = ms_ssim(pair.predicted, pair.reference, of_mask("it", mask), CT)
    wanted = oracles.ms_ssim(pair.predicted, pair.reference, mask, -1024, 3071)
    assert np.isfinite(found) == np.isfinite(wanted) == defined


@settings(max_examples=12, deadline=None)
@given(st.tuples(*[st.integers(5, 110)] * 3), st.integers(0, 99), st.integers(1, 12))
def test_what_is_left_at_the_last_level_is_told_beforehand(shape, seed, edge):
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    corner = [int(rng.integers(0, n)) for n in shape]
    mask[tuple(slice(c, c + 4 * edge) for c in corner)] = True
    padded = np.pad(mask, [((97 - n) // 2, 97 - n - (97 - n) // 2) if n < 97 else (0, 0) for n in shape], mode="edge")
    levels = [padded[(slice(None, None, 2**k),) * 3][(slice(3, -3),) * 3].any() for k in range(5)]
    assert left_at_last_level(of_mask("it", mask), shape) == all(levels)


def test_equal_images_have_an_ms_ssim_of_one():
    pair = make_pair((50, 40, 30))
    whole = of_mask("it", pair.masks["volume"])
    assert ms_ssim(pair.reference, pair.reference, whole, CT) == pytest.approx(1.0, abs=1e-12)
