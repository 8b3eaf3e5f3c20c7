import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medp2p.data.geometry import NORMAL_AXIS, PlaneGrid, from_planes, to_planes
from medp2p.errors import GeometryError

from .orders import orders_of

PLANES = st.sampled_from(sorted(NORMAL_AXIS))
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
SPACINGS = st.tuples(*[st.floats(0.3, 5.0)] * 3)


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@given(SHAPES, SPACINGS, PLANES)
def test_a_volume_at_its_own_spacing_comes_back_bit_for_bit(shape, spacing, plane):
    grid = PlaneGrid(shape, spacing, plane)
    array = noise(shape)
    assert np.array_equal(from_planes(to_planes(array, grid), grid), array)


@given(SHAPES, SPACINGS, PLANES, st.tuples(st.floats(0.3, 5.0), st.floats(0.3, 5.0)), st.floats(-3000, 3000))
def test_a_constant_stays_constant_there_and_back(shape, spacing, plane, target, value):
    grid = PlaneGrid(shape, spacing, plane, target)
    planes = to_planes(np.full(shape, value), grid)
    assert planes == pytest.approx(value, rel=1e-6)
    assert from_planes(planes, grid) == pytest.approx(value, rel=1e-6)


@given(SHAPES, SPACINGS, PLANES, st.tuples(st.floats(0.3, 5.0), st.floats(0.3, 5.0)))
def test_resampling_never_leaves_the_range_of_the_values(shape, spacing, plane, target):
    array = noise(shape)
    planes = to_planes(array, PlaneGrid(shape, spacing, plane, target))
    assert array.min() - 1e-5 <= planes.min()
    assert planes.max() <= array.max() + 1e-5


@given(SHAPES, SPACINGS, PLANES, st.tuples(st.floats(0.3, 5.0), st.floats(0.3, 5.0)))
def test_nearest_planes_hold_labels_of_the_volume_only(shape, spacing, plane, target):
    labels = np.random.default_rng(1).integers(0, 2**31 - 1, shape, dtype=np.int32)
    grid = PlaneGrid(shape, spacing, plane, target)
    planes = to_planes(labels, grid, nearest=True)
    assert planes.dtype == np.int32
    assert np.isin(planes, labels).all()


@given(SHAPES, SPACINGS, PLANES, st.tuples(st.floats(0.3, 5.0), st.floats(0.3, 5.0)))
def test_shape_and_number_of_voxels_come_back_whatever_the_spacing(shape, spacing, plane, target):
    grid = PlaneGrid(shape, spacing, plane, target)
    assert from_planes(to_planes(noise(shape), grid), grid).shape == shape


@settings(max_examples=20, deadline=None)
@given(PLANES, st.sampled_from([None, (1.0, 1.0), (0.7, 2.1)]))
def test_one_scan_in_48_orders_gives_the_same_planes_bit_for_bit(plane, target):
    spacing = (0.9, 1.1, 3.0)
    found = set()
    for volume in orders_of(noise((5, 6, 7)), spacing):
        found.add(to_planes(volume.to_ras(), PlaneGrid.of(volume, plane, target)).tobytes())
    assert len(found) == 1


@given(SHAPES, SPACINGS, PLANES, st.integers(0, 8), st.integers(1, 9))
def test_some_planes_of_a_volume_are_those_of_its_part(shape, spacing, plane, start, length):
    grid, array = PlaneGrid(shape, spacing, plane, (1.3, 0.9)), noise(shape)
    start = min(start, grid.count - 1)
    stop = min(start + length, grid.count)
    part = to_planes(array[grid.within(start, stop)], grid.part(start, stop))
    assert np.array_equal(part, to_planes(array, grid)[start:stop])


def test_rows_run_to_anterior_or_superior_and_columns_to_right_or_anterior():
    x, y, z = np.meshgrid(np.arange(3), np.arange(4), np.arange(5), indexing="ij")
    shape, spacing = x.shape, (1.0, 1.0, 1.0)
    axial = to_planes(x + 10 * y + 100 * z, PlaneGrid(shape, spacing, "axial"))
    coronal = to_planes(x + 10 * y + 100 * z, PlaneGrid(shape, spacing, "coronal"))
    sagittal = to_planes(x + 10 * y + 100 * z, PlaneGrid(shape, spacing, "sagittal"))
    assert (axial.shape, coronal.shape, sagittal.shape) == ((5, 4, 3), (4, 5, 3), (3, 5, 4))
    assert axial[4, 3, 2] == coronal[3, 4, 2] == sagittal[2, 4, 3] == 432
    assert axial[1, 2, 0] == 120
    assert coronal[1, 2, 0] == 210
    assert sagittal[1, 2, 0] == 201


def test_spacing_is_given_from_row_to_row_and_then_from_column_to_column():
    grid = PlaneGrid((10, 20, 40), (1.0, 1.0, 1.0), "sagittal", (2.0, 4.0))
    assert grid.size == (20, 5)
    assert grid.spacing == (2.0, 4.0)


def test_a_straight_ramp_is_still_one_at_another_spacing():
    grid = PlaneGrid((41, 41, 1), (1.0, 1.0, 1.0), "axial", (0.5, 0.5))
    ramp = np.broadcast_to(np.arange(41.0)[:, None, None], (41, 41, 1))
    steps = np.diff(to_planes(ramp, grid)[0, 5], axis=-1)
    assert steps[2:-2] == pytest.approx(0.5, abs=1e-5)


def test_detail_finer_than_the_new_spacing_is_averaged_and_not_aliased():
    checkers = np.indices((64, 64, 1)).sum(axis=0) % 2
    planes = to_planes(checkers, PlaneGrid((64, 64, 1), (1.0, 1.0, 1.0), "axial", (2.3, 2.3)))
    assert planes[0, 2:-2, 2:-2] == pytest.approx(0.5, abs=0.15)


def test_a_smooth_image_survives_the_way_there_and_back():
    x, y, z = np.meshgrid(*[np.linspace(0, np.pi, 60)] * 2, np.arange(3), indexing="ij")
    image = np.sin(x) * np.cos(y) + z
    grid = PlaneGrid((60, 60, 3), (0.72, 0.72, 3.0), "axial", (1.0, 1.0))
    back = from_planes(to_planes(image, grid), grid)
    assert np.abs(back - image)[2:-2, 2:-2].max() < 0.01


def test_a_spacing_equal_up_to_rounding_changes_no_value():
    grid = PlaneGrid((256, 256, 1), (0.97656254, 0.99999994, 3.0), "axial", (1.0, 0.9765625))
    array = noise((256, 256, 1))
    assert np.array_equal(to_planes(array, grid)[0].T, array[..., 0])


def test_an_extreme_voxel_is_clipped_before_it_can_bleed_into_its_neighbours():
    array = np.zeros((9, 9, 1))
    array[4, 4] = 30000.0
    grid = PlaneGrid((9, 9, 1), (1.0, 1.0, 1.0), "axial", (0.7, 0.7))
    assert to_planes(array, grid, mapping=lambda plane: plane.clip(0, 1)).max() <= 1.0


def test_the_inverse_mapping_comes_after_resampling_and_may_round_to_integers():
    grid = PlaneGrid((4, 4, 2), (1.0, 1.0, 1.0), "axial", (2.0, 2.0))
    back = from_planes(np.full((2, 2, 2), 0.4, np.float32), grid, mapping=lambda p: np.rint(p * 10), dtype=np.int16)
    assert back.dtype == np.int16
    assert (back == 4).all()


@pytest.mark.parametrize(
    ("shape", "spacing", "plane", "target"),
    [
        ((4, 4, 4), (1.0, 1.0, 1.0), "oblique", None),
        ((4, 4, 0), (1.0, 1.0, 1.0), "axial", None),
        ((4, 4, 4), (1.0, float("nan"), 1.0), "axial", None),
        ((4, 4, 4), (1.0, 1.0, 1.0), "axial", (0.0, 1.0)),
        ((64, 64, 4), (900.0, 900.0, 1.0), "axial", (1.0, 1.0)),
    ],
)
def test_a_grid_that_cannot_be_is_refused(shape, spacing, plane, target):
    with pytest.raises(GeometryError):
        PlaneGrid(shape, spacing, plane, target)


def test_an_array_or_planes_of_another_grid_are_refused():
    grid = PlaneGrid((4, 5, 6), (1.0, 1.0, 1.0))
    with pytest.raises(GeometryError, match="another grid"):
        to_planes(np.zeros((4, 5, 7)), grid)
    with pytest.raises(GeometryError, match="another grid"):
        from_planes(np.zeros((6, 4, 5)), grid)
