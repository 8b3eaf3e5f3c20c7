import numpy as np
import pytest
import SimpleITK as sitk

from medp2p.errors import GeometryError
from medp2p.preparation.resampling import covered, resampled
from medp2p.volume import Volume

HERE = sitk.Transform(3, sitk.sitkIdentity)


def grid(shape, spacing=1.0, origin=0.0):
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = origin
    return Volume(np.zeros(shape, np.float32), affine)


@pytest.mark.parametrize("origin", [-0.5, 0.0, 0.25])
def test_a_constant_stays_constant_up_to_half_a_voxel_beyond_the_outermost_centres(origin):
    constant = Volume(np.full((6, 5, 4), 7.0), np.diag([2.0, 2.0, 2.0, 1.0]))
    fine = grid((12, 10, 8), 1.0, origin - 0.5)
    assert (resampled(constant, fine, HERE, outside=-1024)[1:-1, 1:-1, 1:-1] == 7).all()


def test_a_centre_exactly_half_a_voxel_outside_is_inside_on_both_ends():
    one = Volume(np.full((4, 4, 4), 3.0), np.eye(4))
    values = resampled(one, grid((10, 4, 4), 0.5, (-0.5, 0, 0)), HERE, outside=-1024)
    assert values[:, 0, 0].tolist() == [3.0] * 9 + [-1024.0]


def test_what_a_scan_does_not_cover_gets_the_value_for_no_data():
    ct = Volume(np.full((4, 4, 4), 40, np.int16), np.eye(4))
    values = resampled(ct, grid((8, 4, 4)), HERE, outside=-1024)
    assert np.unique(values[4:]).tolist() == [-1024]
    assert np.unique(values[:4]).tolist() == [40]


def test_labels_stay_the_labels_they_were_with_their_type():
    labels = Volume(np.random.default_rng(0).choice([0, 3, 70000], (6, 6, 6)).astype(np.int32), np.eye(4))
    turn = sitk.Euler3DTransform((2, 2, 2), 0.2, 0.1, 0.3)
    values = resampled(labels, grid((9, 9, 9), 0.7), turn, outside=0, nearest=True)
    assert values.dtype == np.int32
    assert set(np.unique(values)) <= {0, 3, 70000}


def test_the_same_grid_gives_the_same_values():
    scan = Volume(np.random.default_rng(1).normal(0, 100, (5, 6, 7)).astype(np.float32), np.diag([-1.5, 1.0, 2.0, 1.0]))
    assert np.array_equal(resampled(scan, scan, HERE, outside=0), scan.voxels)


def test_coverage_follows_the_transform():
    scan = grid((4, 4, 4))
    shift = sitk.TranslationTransform(3, (-2.0, 0.0, 0.0))  # of points, LPS: two voxels to the right
    assert covered(scan, scan, shift).any((1, 2)).tolist() == [True, True, False, False]


def test_a_sheared_grid_is_refused():
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    with pytest.raises(GeometryError, match="sheared"):
        resampled(Volume(np.zeros((3, 3, 3)), sheared), grid((3, 3, 3)), HERE, outside=0)
