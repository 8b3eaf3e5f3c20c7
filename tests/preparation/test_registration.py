import numpy as np
import pytest
import SimpleITK as sitk

from medp2p.data.phantom import phantom_head
from medp2p.errors import GeometryError
from medp2p.io import read_volume
from medp2p.preparation import search
from medp2p.preparation.deformation import least_jacobian
from medp2p.preparation.options import PreparationOptions
from medp2p.preparation.pyramid import Pair, Scan
from medp2p.preparation.registration import register
from medp2p.volume import Volume
from tests.preparation.heads import SHAPE, error, moved, real_data, scan

RIGID = PreparationOptions()
FEWER_SAMPLES = 10_000
"""Voxels compared where many parameters are sought: a quarter of what users get, for a quarter of the time."""


@pytest.fixture(scope="module")
def head():
    return phantom_head(0, shape=SHAPE)


@pytest.fixture(scope="module")
def ct(head) -> Scan:
    return scan(head.ct, hu=True)


@pytest.fixture
def fewer_samples(monkeypatch) -> None:
    monkeypatch.setattr(search, "SAMPLES", FEWER_SAMPLES)


@pytest.mark.parametrize(
    ("shift_mm", "degrees"), [((6, -4, 3), 2), pytest.param((25, -60, 80), 14, marks=pytest.mark.slow)]
)
def test_a_known_displacement_is_recovered(head, ct, shift_mm, degrees):
    mr, way = moved(head.mr, shift_mm, (1, 0.3, -0.2), degrees)
    found = register(Pair.of(ct, scan(mr)), RIGID)
    mm, off = error(found.transform, way, ct)
    assert mm < 0.5
    assert off < 0.5
    assert found.information_after > (found.information_before or 0)


@pytest.mark.slow
def test_a_grid_that_is_oblique_flipped_and_uneven_makes_no_difference():
    straight, same_patient = (phantom_head(0, shape=(96, 108, 54), awkward=awkward) for awkward in (False, True))
    ct = scan(straight.ct, hu=True)
    found = register(Pair.of(ct, scan(same_patient.mr)), RIGID)
    mm, degrees = error(found.transform, sitk.Euler3DTransform(), ct)
    assert mm < 0.15 * max(same_patient.mr.spacing_mm)
    assert degrees < 0.5


@pytest.mark.usefixtures("fewer_samples")
def test_the_same_scans_and_seed_give_the_same_bits(head, ct):
    mr, _ = moved(head.mr, (6, -4, 3), degrees=2)
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    parameters = []
    for count in (1, 3):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
        parameters.append(register(Pair.of(ct, scan(mr)), RIGID).transform.GetParameters())
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    assert parameters[0] == parameters[1]


def test_without_a_transform_the_headers_are_trusted(head, ct):
    mr, _ = moved(head.mr, (6, -4, 3), degrees=2)
    found = register(Pair.of(ct, scan(mr)), PreparationOptions(transform="none"))
    assert found.transform.GetInverse().TransformPoint((1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
    assert found.information_after == found.information_before


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_samples")
def test_an_affine_transform_follows_a_stretch_that_a_rigid_one_cannot(head, ct):
    stretch = np.diag([1.05, 0.97, 1.02, 1.0])
    mr, way = Volume(head.mr.voxels, stretch @ head.mr.affine), sitk.AffineTransform(3)
    way.SetMatrix(stretch[:3, :3].ravel().tolist())
    pair = Pair.of(ct, scan(mr))
    rigid, affine = (register(pair, PreparationOptions(transform=kind)) for kind in ("rigid", "affine"))
    assert error(affine.transform, way, ct)[0] < 1 < error(rigid.transform, way, ct)[0]
    assert least_jacobian(affine.transform, pair) == pytest.approx(np.linalg.det(stretch), rel=0.03)


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_samples")
def test_a_b_spline_brings_two_scans_nearer_without_folding_them(head, ct):
    pair = Pair.of(ct, scan(phantom_head(3, shape=SHAPE).mr))  # of another patient
    rigid, bent = (register(pair, PreparationOptions(transform=kind)) for kind in ("rigid", "bspline"))
    assert bent.information_after > rigid.information_after + 0.02
    assert 0 < least_jacobian(bent.transform, pair) < 1


def test_a_rigid_transform_changes_no_volume(ct):
    turn = sitk.Euler3DTransform((10, 20, 30), 0.2, 0.1, -0.3, (5, 6, 7))
    assert least_jacobian(turn, Pair.of(ct, ct)) == pytest.approx(1.0)


def test_scans_in_which_nothing_can_be_compared_are_refused_or_judged_never_a_crash(ct):
    empty = Volume(np.zeros((4, 4, 4), np.float32), np.diag([0.01, 0.01, 0.01, 1.0]))
    with pytest.raises(GeometryError, match="no start"):
        register(Pair.of(ct, scan(empty)), RIGID)


@pytest.mark.slow
def test_a_displaced_t1_template_comes_back_to_where_it_was():
    folder = real_data("t1_ct_template")
    ct, t1 = scan(read_volume(folder / "ct_hu.nii.gz"), hu=True), read_volume(folder / "t1.nii.gz")
    at_rest = register(Pair.of(ct, scan(t1)), RIGID).transform  # the two averages are not of the same heads
    for shift_mm, degrees in (((6, -4, 3), 2), ((20, -15, 30), 12)):
        displaced, way = moved(t1, shift_mm, (1, 0.2, 0.1), degrees)
        found = register(Pair.of(ct, scan(displaced)), RIGID).transform
        mm, off = error(found, sitk.CompositeTransform([way, at_rest]), ct)
        assert mm < 0.5
        assert off < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("contrast", ["T1W", "T2W"])
def test_contrasts_on_three_grids_find_each_other_also_after_6_mm_and_2_degrees(contrast):
    folder = real_data("ms_raw", "patient01_study1")
    flair, other = (read_volume(folder / f"study1_{name}.nii.gz") for name in ("FLAIR", contrast))
    fixed = scan(flair)
    displaced, way = moved(other, (4.0, -3.0, 3.3), degrees=2)
    at_rest = register(Pair.of(fixed, scan(other)), RIGID).transform
    found = register(Pair.of(fixed, scan(displaced)), RIGID).transform
    mm, off = error(found, sitk.CompositeTransform([way, at_rest]), fixed)
    assert mm < 0.5
    assert off < 0.5
    assert error(at_rest, sitk.Euler3DTransform(), fixed)[0] < 1.0
