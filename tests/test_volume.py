"""Volume: the voxels of a scan with the grid they lie on."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from medp2p.errors import GeometryError
from medp2p.volume import Header, Volume

ORDERS = [(order, flips) for order in permutations(range(3)) for flips in product((1, -1), repeat=3)]
OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.1, -0.2, 0.15) @ np.diag([1.5, 0.7, 3.0]), [-40.0, 12.5, 7.0]
)


def stored(volume: Volume, order: tuple[int, ...], flips: tuple[int, ...]) -> Volume:
    """The same scan, its axes stored in another order and direction."""
    ornt = np.stack([np.argsort(order), np.asarray(flips)[np.argsort(order)]], axis=1)
    voxels = nib.orientations.apply_orientation(volume.voxels, ornt)
    return Volume(voxels, volume.affine @ nib.orientations.inv_ornt_aff(ornt, volume.shape))


@pytest.fixture
def scan() -> Volume:
    return Volume(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6), OBLIQUE)


@pytest.mark.parametrize(("order", "flips"), ORDERS)
def test_every_storage_order_of_a_scan_has_the_same_ras_voxels(scan, order, flips) -> None:
    other = stored(scan, order, flips)
    np.testing.assert_array_equal(other.to_ras(), scan.to_ras())
    assert other.from_ras(other.to_ras()).same_grid(other)
    np.testing.assert_array_equal(other.from_ras(other.to_ras()).voxels, other.voxels)


@pytest.mark.parametrize(("order", "flips"), ORDERS)
def test_the_orientation_is_the_one_that_nibabel_finds(scan, order, flips) -> None:
    other = stored(scan, order, flips)
    assert other.orientation == "".join(nib.aff2axcodes(other.affine))


@pytest.mark.parametrize(
    ("voxels", "affine", "words"),
    [
        (np.zeros((3, 3)), np.eye(4), "three axes"),
        (np.zeros((0, 3, 3)), np.eye(4), "three axes"),
        (np.full((2, 2, 2), np.nan), np.eye(4), "not finite"),
        (np.zeros((2, 2, 2), complex), np.eye(4), "no real numbers"),
        (np.zeros((2, 2, 2)), np.diag([1, 1, 0, 1]), "singular"),
        (np.zeros((2, 2, 2)), np.full((4, 4), np.inf), "not finite"),
        (np.zeros((2, 2, 2)), np.eye(3), "4 x 4"),
    ],
)
def test_what_is_no_volume_is_refused_at_birth(voxels, affine, words) -> None:
    with pytest.raises(GeometryError, match=words):
        Volume(voxels, affine)


def test_a_volume_cannot_be_changed(scan) -> None:
    with pytest.raises(AttributeError):
        scan.affine = np.eye(4)
    with pytest.raises(ValueError, match="read-only"):
        scan.voxels[0, 0, 0] = 1


@given(st.floats(0, 2e-3), st.sampled_from([0, 1, 2]))
def test_grids_are_the_same_within_a_thousandth_of_a_millimetre(shift: float, axis: int) -> None:
    moved = np.eye(4)
    moved[axis, 3] = shift
    same = Volume(np.zeros((3, 3, 3)), np.eye(4)).same_grid(Volume(np.zeros((3, 3, 3)), moved))
    assert same == (shift <= 1e-3)


def test_nibabel_gets_back_both_transforms_with_their_codes(scan) -> None:
    header = Header(sform=OBLIQUE, sform_code=2, qform=np.diag([1.0, 1, 1, 1]), qform_code=1, time_unit="sec")
    image = Volume(scan.voxels, OBLIQUE, header=header).to_nibabel()
    again = Volume.from_nibabel(image)
    assert (again.header.sform_code, again.header.qform_code, again.header.time_unit) == (2, 1, "sec")
    np.testing.assert_allclose(again.affine, OBLIQUE, atol=1e-5)
    np.testing.assert_allclose(again.header.qform, np.eye(4), atol=1e-6)


def test_an_image_that_does_not_say_where_it_lies_is_refused(scan) -> None:
    image = nib.Nifti1Image(np.array(scan.voxels), np.eye(4))
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    with pytest.raises(GeometryError, match="code 0"):
        Volume.from_nibabel(image)


@pytest.mark.parametrize(("unit", "times"), [("meter", 1e-3), ("mm", 1.0), ("micron", 1e3), ("unknown", 1.0)])
def test_an_image_of_nibabel_in_any_unit_is_in_millimetres(scan, unit: str, times: float) -> None:
    affine = np.diag([2 * times, 2 * times, 3 * times, 1.0])
    image = nib.Nifti1Image(np.array(scan.voxels), affine)
    image.header.set_xyzt_units(unit)
    image.set_sform(affine, 1)
    volume = Volume.from_nibabel(image)
    np.testing.assert_allclose(volume.affine, np.diag([2.0, 2.0, 3.0, 1.0]), rtol=1e-6)
    assert volume.header.space_unit == unit


def test_an_image_of_nibabel_that_contradicts_itself_or_has_no_place_is_refused(scan) -> None:
    image = nib.Nifti1Image(np.array(scan.voxels), np.eye(4))
    image.set_qform(np.diag([-1.0, 1, 1, 1]), 1)
    image.set_sform(np.eye(4), 1)
    with pytest.raises(GeometryError, match="left and right are exchanged"):
        Volume.from_nibabel(image)
    with pytest.raises(GeometryError, match="Analyze"):
        Volume.from_nibabel(nib.AnalyzeImage(np.array(scan.voxels), np.eye(4)))


def test_axes_of_length_one_are_no_obstacle_to_an_image_of_nibabel() -> None:
    for shape in ((4, 5), (4, 5, 1, 1)):
        image = nib.Nifti1Image(np.zeros(shape, np.int16), np.eye(4))
        image.set_sform(np.eye(4), 1)
        assert Volume.from_nibabel(image).shape == (4, 5, 1)


@pytest.mark.parametrize("dtype", ["i8", "u8", "f2", ">i2", "?"])
def test_any_number_type_goes_to_other_libraries(dtype: str) -> None:
    voxels = (np.arange(24).reshape(2, 3, 4) % 2).astype(dtype)
    volume = Volume(voxels, np.eye(4))
    np.testing.assert_array_equal(np.asanyarray(volume.to_nibabel().dataobj), voxels)
    np.testing.assert_array_equal(Volume.from_sitk(volume.to_sitk()).voxels, voxels)


def test_an_image_of_simpleitk_with_other_axes_is_refused() -> None:
    for size in ([5, 6], [4, 4, 4, 2]):
        with pytest.raises(GeometryError, match="no volume"):
            Volume.from_sitk(sitk.Image(size, sitk.sitkInt16))


def test_simpleitk_gives_back_the_same_grid_and_voxels(scan) -> None:
    again = Volume.from_sitk(scan.to_sitk())
    assert again.same_grid(scan)
    np.testing.assert_array_equal(again.voxels, scan.voxels)


def test_a_sheared_grid_is_refused_where_it_cannot_be_held() -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    with pytest.raises(GeometryError, match="sheared"):
        Volume(np.zeros((2, 2, 2)), sheared).to_sitk()


def test_the_content_hash_follows_voxels_and_grid_not_storage(scan) -> None:
    big_endian = Volume(scan.voxels.astype(">i2"), scan.affine)
    assert big_endian.content_sha256() == scan.content_sha256()
    assert scan.with_voxels(scan.voxels + np.int16(1)).content_sha256() != scan.content_sha256()
