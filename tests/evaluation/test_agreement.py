import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medp2p.evaluation.agreement import dice, hd95


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # MONAI warns of its own call
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 500), st.tuples(*[st.integers(4, 14)] * 3), st.sampled_from([0.02, 0.3, 0.8]))
def test_both_are_the_numbers_of_monai(seed, shape, density):
    import torch
    from monai.metrics import compute_dice
    from monai.metrics.utils import get_edge_surface_distance

    rng = np.random.default_rng(seed)
    first, second = (rng.random(shape) < density for _ in range(2))
    first[1, 1, 1] = second[2, 2, 2] = True
    spacing = (0.8, 1.0, 2.5)
    pair = [torch.from_numpy(mask)[None, None].float() for mask in (first, second)]
    # The distances of `HausdorffDistanceMetric(percentile=95)`; it takes the percentile in float32, too coarse for 1e-6
    _, both_ways, _ = get_edge_surface_distance(*(mask[0, 0] for mask in pair), spacing=spacing, symmetric=True)
    wanted = max(np.percentile(distances.numpy().astype(float), 95) for distances in both_ways)
    assert hd95(first, second, spacing) == pytest.approx(wanted, rel=1e-6)
    assert dice(first, second) == pytest.approx(float(compute_dice(*pair)), rel=1e-6)


def test_an_empty_mask_has_no_distance():
    cube = np.zeros((5, 5, 5), bool)
    assert np.isnan(dice(cube, cube))
    assert np.isnan(hd95(cube, ~cube, (1, 1, 1)))


def test_a_shift_of_two_voxels_is_as_many_millimetres():
    cube = np.zeros((20, 20, 20), bool)
    cube[5:10, 5:10, 5:10] = True
    assert hd95(cube, np.roll(cube, 2, axis=2), (1, 1, 1.5)) == 3.0
