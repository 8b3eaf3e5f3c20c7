import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from medp2p.errors import EmptyRegionError, GeometryError
from medp2p.evaluation import metrics
from medp2p.evaluation.maps import maps_for
from medp2p.evaluation.metrics import masked_mae, masked_me, masked_psnr, psnr_of

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


@pytest.fixture(params=["numpy", "numba"])
def maps(request, monkeypatch):
    """Both sets of functions: the same tests for both."""
    if request.param == "numpy":
        return maps_for(0)
    pytest.importorskip("numba", reason="the extra `fast` is not installed")
    monkeypatch.setattr("medp2p.evaluation.maps.WORTH_COMPILING", 0)
    return maps_for(1)


def images(shape=(15, 12, 9), seed=3):
    rng = np.random.default_rng(seed)
    first = rng.normal(500, 300, shape)
    return first, first + rng.normal(0, 80, shape)


def test_ssim_map_is_that_of_scikit_image_in_float64(maps):
    first, second = images()
    _, wanted = structural_similarity(first, second, data_range=4095.0, full=True)
    found = maps.ssim(first, second, data_range=4095.0)
    assert np.abs(found - wanted[3:-3, 3:-3, 3:-3]).max() < 1e-12


@pytest.mark.parametrize("shape", [(8, 9, 10), (9, 80, 90)])
@pytest.mark.parametrize("function", ["ssim", "terms"])
def test_integers_of_any_contrast_have_the_maps_of_the_same_floats(maps, function, shape):
    rng = np.random.default_rng(4)
    first = rng.choice(np.array([0, 1, 2048, 4094, 4095], np.int32), shape)
    second = np.where(rng.random(shape) < 0.5, first, 4095 - first)
    first[:, :8], second[:, :8] = 0, 4095  # the largest sums of squares and the smallest of products
    first[:, :, 8:], second[:, :, 8:] = 4095, 4095
    map_of = getattr(maps, function)
    wanted = map_of(first.astype(np.float64), second.astype(np.float64), data_range=4095.0)
    assert np.abs(map_of(first, second, data_range=4095.0) - wanted).max() < 1e-12


def test_ssim_map_is_that_of_sums_over_every_window(maps):
    first, second = images((10, 9, 8))
    ux, uy, vx, vy, vxy = oracles.moments(first, second)
    c1, c2 = 40.95**2, 122.85**2
    wanted = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux**2 + uy**2 + c1) * (vx + vy + c2))
    assert np.abs(maps.ssim(first, second, data_range=4095.0) - wanted).max() < 1e-12


def test_the_three_terms_are_those_of_sums_over_every_window(maps):
    first, second = images((10, 9, 8))
    second[:, :5] = 1000 - second[:, :5]
    ux, uy, vx, vy, vxy = oracles.moments(first, second)
    c1, c2 = 40.95**2, 122.85**2
    sx, sy = np.sqrt(vx), np.sqrt(vy)
    factors = (
        (2 * ux * uy + c1) / (ux**2 + uy**2 + c1),
        (2 * sx * sy + c2) / (vx + vy + c2),
        (vxy + c2 / 2) / (sx * sy + c2 / 2),
    )
    wanted = np.prod([np.maximum(factor, 0) for factor in factors], axis=0)
    found = maps.terms(first, second, data_range=4095.0)
    assert np.abs(found - wanted).max() < 1e-12
    assert (found == 0).any()


@given(st.tuples(*[st.integers(7, 30)] * 3), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_numpy_and_numba_give_the_same_maps(shape, seed):
    pytest.importorskip("numba", reason="the extra `fast` is not installed")
    from medp2p.evaluation import compiled

    first, second = images(shape, seed)
    for name in ("ssim_map", "three_terms"):
        fast, plain = (getattr(room, name)(first, second, data_range=4095.0) for room in (compiled, metrics))
        assert np.abs(fast - plain).max() < 1e-12


def test_a_plane_that_numba_has_left_behind_changes_no_bit():
    pytest.importorskip("numba", reason="the extra `fast` is not installed")
    from medp2p.evaluation import compiled

    first, second = np.random.default_rng(0).integers(-1024, 3072, (2, 20, 9, 11)).astype(np.int16)
    for of in (compiled.ssim_map, compiled.three_terms):
        whole, later = (of(first[n:], second[n:], data_range=4095.0) for n in (0, 5))
        assert whole[5:].tobytes() == later.tobytes()
