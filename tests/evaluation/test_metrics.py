import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from medp2p.errors import EmptyRegionError, GeometryError
from medp2p.evaluation.metrics import masked_mae, masked_me, masked_psnr, psnr_of, ssim_map

from . import oracles

WATER = np.zeros((6, 6, 6))
LEFT_HALF = np.zeros((6, 6, 6), bool)
LEFT_HALF[:3] = True


def test_unsigned_images_do_not_wrap():
    dark, bright = np.full((2, 2, 2), 84, np.uint8), np.full((2, 2, 2), 100, np.uint8)
    assert masked_mae(dark, bright, bright > 0) == 16
    assert masked_me(dark, bright, bright > 0) == -16


def test_psnr_of_an_exact_region_is_infinite():
    assert masked_psnr(WATER, WATER, LEFT_HALF, data_range=4095) == float("inf")


def test_psnr_is_the_known_number_for_a_known_error():
    assert psnr_of(100.0, 4024) == pytest.approx(52.09, abs=0.005)
    assert psnr_of(100.0, 4095) == pytest.approx(52.25, abs=0.005)


@given(damage=st.floats(-3000, 3000))
def test_voxels_outside_the_region_never_count(damage):
    damaged = np.where(LEFT_HALF, WATER, damage)
    assert masked_psnr(damaged, WATER, LEFT_HALF, data_range=4095) == float("inf")
    assert masked_mae(damaged, WATER, LEFT_HALF) == 0


@given(offset=st.floats(-1000, 1000), seed=st.integers(0, 2**16))
def test_a_constant_error_is_its_own_mean(offset, seed):
    scan = np.random.default_rng(seed).normal(0, 300, (4, 4, 4))
    assert masked_me(scan + offset, scan, scan < 1e9) == pytest.approx(offset, abs=1e-9)
    assert masked_mae(scan + offset, scan, scan < 1e9) == pytest.approx(abs(offset), abs=1e-9)


def test_an_empty_region_is_refused():
    with pytest.raises(EmptyRegionError, match="no voxel"):
        masked_mae(WATER, WATER, np.zeros_like(LEFT_HALF))


def test_arrays_of_other_shapes_are_refused():
    with pytest.raises(GeometryError, match="predicted and reference differ in shape"):
        masked_mae(WATER[1:], WATER, LEFT_HALF)
    with pytest.raises(GeometryError, match="region and reference differ in shape"):
        masked_mae(WATER, WATER, LEFT_HALF[1:])


def test_ssim_map_is_that_of_scikit_image_in_float64():
    rng = np.random.default_rng(3)
    first = rng.normal(500, 300, (15, 12, 9))
    second = first + rng.normal(0, 80, first.shape)
    _, wanted = structural_similarity(first, second, data_range=4095.0, full=True)
    found = ssim_map(first, second, data_range=4095.0)
    assert np.abs(found - wanted[3:-3, 3:-3, 3:-3]).max() < 1e-12


def test_ssim_map_is_that_of_sums_over_every_window():
    rng = np.random.default_rng(4)
    first = rng.normal(500, 300, (10, 9, 8))
    second = first + rng.normal(0, 80, first.shape)
    ux, uy, vx, vy, vxy = oracles.moments(first, second)
    c1, c2 = 40.95**2, 122.85**2
    wanted = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux**2 + uy**2 + c1) * (vx + vy + c2))
    assert np.abs(ssim_map(first, second, data_range=4095.0) - wanted).max() < 1e-12
