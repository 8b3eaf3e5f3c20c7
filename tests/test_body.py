import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import binary_fill_holes, label

from medp2p.body import find_body, overlap

AIR, WATER = -1000.0, 40.0


def ball(shape=(32, 32, 20), radius=10.0):
    centred = [np.arange(n) - (n - 1) / 2 for n in shape]
    x, y, z = np.meshgrid(*centred, indexing="ij")
    return x**2 + y**2 + z**2 < radius**2


def test_the_body_of_a_ct_is_the_ball_without_the_bed_below_it():
    ct = np.where(ball(), WATER, AIR)
    ct[:, 0] = 300.0
    assert np.array_equal(find_body(ct, hu=True), ball())


def test_air_inside_the_body_belongs_to_it():
    ct = np.where(ball() & ~ball(radius=4.0), WATER, AIR)
    assert np.array_equal(find_body(ct, hu=True), ball())


def test_an_opening_towards_the_neck_is_filled_all_the_same():
    tube = ball()
    ct = np.where(tube, WATER, AIR)
    ct[15:17, 15:17, :10] = AIR
    assert np.array_equal(find_body(ct, hu=True), tube)


def test_the_body_of_a_noisy_mr_overlaps_the_truth():
    head = ball((64, 64, 56), 24.0)
    mr = np.where(head, 600.0, 0.0) + np.abs(np.random.default_rng(0).normal(0, 20, head.shape))
    assert overlap(find_body(mr, hu=False), head) > 0.9


@given(st.floats(1e-3, 1e3))
def test_the_body_of_an_mr_does_not_depend_on_its_scale(scale):
    mr = np.where(ball(), 600.0, 3.0)
    assert np.array_equal(find_body(mr * scale, hu=False), find_body(mr, hu=False))


@pytest.mark.parametrize("hu", [True, False])
def test_a_scan_in_which_nothing_stands_out_has_no_body(hu):
    assert not find_body(np.full((5, 5, 5), AIR), hu=hu).any()


def test_holes_are_filled_as_scipy_fills_them_plane_by_plane():
    tissue = np.random.default_rng(0).random((30, 25, 8)) > 0.45
    body = find_body(np.where(tissue, WATER, AIR), hu=True)
    assert all(np.array_equal(binary_fill_holes(body[:, :, z]), body[:, :, z]) for z in range(8))
    parts, _ = label(tissue, np.ones((3, 3, 3)))
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    assert all(np.array_equal(binary_fill_holes(largest[:, :, z]), body[:, :, z]) for z in range(8))


def test_a_body_touching_corners_only_is_one_body():
    ct = np.full((6, 6, 6), AIR)
    ct[:3, :3, :3] = WATER
    ct[3:, 3:, 3:] = WATER
    assert find_body(ct, hu=True).sum() == 54


def test_masks_that_do_not_touch_do_not_overlap():
    assert overlap(np.array([True, False]), np.array([False, True])) == 0.0
    assert overlap(np.zeros(2, bool), np.zeros(2, bool)) == 1.0
