"""The affine of a grid: where its axes point, and how far apart two of them put it."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.affine import axis_order, checked_affine, corner_distance_mm, is_orthogonal
from medp2p.errors import GeometryError

TURNED = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, -0.2, 0.15) @ np.diag([1.5, 0.7, 3.0]), [-40, 12.5, 7])
SHEARED = np.array([[1.0, 0.01, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_the_first_ras_axis_runs_to_the_patients_right() -> None:
    assert axis_order(np.diag([-1.0, -1.0, 1.0, 1.0])) == ((0, 1, 2), (True, True, False))


@given(st.tuples(*[st.floats(-50, 50)] * 3), st.tuples(*[st.integers(1, 9)] * 3))
def test_a_grid_that_is_moved_lies_as_far_off_as_it_was_moved(shift: tuple[float, ...], shape: tuple[int, ...]) -> None:
    moved = TURNED.copy()
    moved[:3, 3] += shift
    assert corner_distance_mm(shape, TURNED, moved) == pytest.approx(np.linalg.norm(shift), abs=1e-9)


def test_another_spacing_shows_at_the_corners_even_of_a_single_voxel() -> None:
    assert corner_distance_mm((1, 1, 1), np.eye(4), np.diag([1.0, 1.0, 1.5, 1.0])) == pytest.approx(0.25)


def test_axes_at_right_angles_are_told_from_sheared_ones() -> None:
    assert is_orthogonal(TURNED)
    assert not is_orthogonal(SHEARED)
    assert is_orthogonal(SHEARED, tolerance=0.02)


@pytest.mark.parametrize("millimetres", [1e-3, 1e3])
def test_voxels_of_a_microscope_and_of_a_whole_body_are_taken(millimetres: float) -> None:
    affine = np.diag([1.0, 1.0, millimetres, 1.0])
    assert np.array_equal(checked_affine(affine), affine)


@pytest.mark.parametrize("millimetres", [9e-4, 1.1e3])
def test_voxels_beyond_them_are_refused(millimetres: float) -> None:
    with pytest.raises(GeometryError, match="impossible size"):
        checked_affine(np.diag([1.0, 1.0, millimetres, 1.0]))
