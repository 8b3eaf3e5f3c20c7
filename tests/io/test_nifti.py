"""NIfTI in and out: the right values on the right grid, judged by nibabel."""

import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.affine import corner_distance_mm
from medp2p.errors import GeometryError
from medp2p.io.nifti_header import NUMBER_TYPES, affine_quaternion, quaternion_affine
from medp2p.io.nifti_read import read_nifti
from medp2p.io.nifti_write import write_nifti
from medp2p.io.volumes import read_volume, write_volume
from medp2p.volume import Header, Volume

OBLIQUE = nib.eulerangles.euler2mat(0.2, -0.1, 0.3)
ORDERS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def affine_of(matrix: np.ndarray, origin: tuple[float, float, float] = (-90.5, 12.25, 33.0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, origin
    return affine


def ramp(shape: tuple[int, int, int] = (4, 5, 6), dtype: str = "i2") -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def corners_agree(shape: tuple[int, ...], first: np.ndarray, second: np.ndarray) -> bool:
    return corner_distance_mm(shape, first, second) <= 1e-3


@pytest.mark.parametrize("end", [".nii", ".nii.gz"])
@pytest.mark.parametrize("order", [0, 7, 13, 22, 38, 47])
def test_a_written_volume_is_what_nibabel_reads(tmp_path: Path, end: str, order: int) -> None:
    axes, signs = ORDERS[order]
    affine = affine_of(OBLIQUE[:, list(axes)] * signs * [0.72, 0.9, 4.0])
    write_nifti(Volume(ramp(), affine), tmp_path / f"a{end}")
    image = nib.load(tmp_path / f"a{end}")
    assert np.array_equal(image.dataobj, ramp())
    assert corners_agree((4, 5, 6), image.affine, affine)
    assert corners_agree((4, 5, 6), image.get_qform(), affine)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    assert np.allclose(image.header.get_zooms(), [0.72, 0.9, 4.0])


def test_all_48_orders_of_a_scan_come_back_on_their_own_grid(tmp_path: Path) -> None:
    for axes, signs in ORDERS:
        affine = affine_of(OBLIQUE[:, list(axes)] * signs * [0.5, 1.0, 3.3])
        write_nifti(Volume(ramp(), affine), tmp_path / "a.nii", overwrite=True)
        back = read_nifti(tmp_path / "a.nii")
        assert corners_agree((4, 5, 6), back.affine, affine)
        assert np.array_equal(back.voxels, ramp())
        assert corners_agree((4, 5, 6), back.header.qform, affine)


@pytest.mark.parametrize("code", NUMBER_TYPES)
@pytest.mark.parametrize("order", "<>")
def test_every_number_type_and_byte_order_is_read_as_it_is_stored(tmp_path: Path, code: int, order: str) -> None:
    dtype = np.dtype(NUMBER_TYPES[code])
    stored = np.random.default_rng(code).integers(0, 120, (3, 4, 5)).astype(dtype)
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(dtype)
    nib.save(nib.Nifti1Image(stored, np.eye(4), header), tmp_path / "a.nii.gz")
    voxels = read_nifti(tmp_path / "a.nii.gz").voxels
    assert voxels.dtype == dtype
    assert voxels.dtype.isnative
    assert np.array_equal(voxels, stored)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_both_transforms_codes_and_units_are_kept(tmp_path: Path, kind: type) -> None:
    image = kind(ramp(), affine_of(np.diag([-1.0, 1.0, 2.0])))
    image.set_sform(affine_of(OBLIQUE * [1.0, 1.0, 2.0] * [-1, 1, 1], (17.0, 0.0, 0.0)), 2)
    image.set_qform(affine_of(np.diag([-1.0, 1.0, 2.0])), 1)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "in.nii")
    write_nifti(read_nifti(tmp_path / "in.nii"), tmp_path / "out.nii")
    before, after = nib.load(tmp_path / "in.nii").header, nib.load(tmp_path / "out.nii").header
    for key in ("sform_code", "qform_code", "xyzt_units"):
        assert before[key] == after[key]
    assert np.allclose(before.get_sform(), after.get_sform(), atol=1e-6)
    assert np.allclose(before.get_qform(), after.get_qform(), atol=1e-6)
    assert np.array_equal(before["pixdim"][:4], after["pixdim"][:4])


@pytest.mark.parametrize(("sform_code", "qform_code"), [(4, 0), (0, 3)])
def test_a_single_transform_stays_single(tmp_path: Path, sform_code: int, qform_code: int) -> None:
    image = nib.Nifti1Image(ramp(), affine_of(OBLIQUE))
    image.set_sform(affine_of(OBLIQUE), sform_code)
    image.set_qform(affine_of(OBLIQUE), qform_code)
    nib.save(image, tmp_path / "in.nii")
    write_nifti(read_nifti(tmp_path / "in.nii"), tmp_path / "out.nii")
    after = nib.load(tmp_path / "out.nii")
    assert (int(after.header["sform_code"]), int(after.header["qform_code"])) == (sform_code, qform_code)
    assert corners_agree((4, 5, 6), after.affine, affine_of(OBLIQUE))


def test_a_shear_is_kept_in_the_sform_and_claimed_by_no_qform(tmp_path: Path) -> None:
    sheared = affine_of(np.array([[1.0, 0.0, 0.44], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]))
    write_nifti(Volume(ramp(), sheared), tmp_path / "a.nii")
    assert np.allclose(read_nifti(tmp_path / "a.nii").affine, sheared)
    assert int(nib.load(tmp_path / "a.nii").header["qform_code"]) == 0


def test_the_size_before_a_shear_may_stand_in_pixdim(tmp_path: Path) -> None:
    image = nib.Nifti1Image(ramp(), affine_of(np.array([[1.0, 0.0, 0.44], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])))
    image.set_qform(None, 0)
    image.header["pixdim"][1:4] = [1, 1, 2]
    nib.save(image, tmp_path / "a.nii")
    assert np.allclose(read_nifti(tmp_path / "a.nii").affine, image.affine)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1e-3), ("micron", 1e3), ("mm", 1.0), ("unknown", 1.0)])
def test_units_become_millimetres_inside_and_come_back_in_the_file(tmp_path: Path, unit: str, factor: float) -> None:
    affine = affine_of(np.diag([-1.0, 1.0, 2.0]))
    scaled = affine * np.array([[factor], [factor], [factor], [1.0]])
    image = nib.Nifti1Image(ramp(), scaled)
    image.set_qform(scaled, 1)
    image.header.set_xyzt_units(unit, "msec")
    nib.save(image, tmp_path / "in.nii")
    volume = read_nifti(tmp_path / "in.nii")
    assert corners_agree((4, 5, 6), volume.affine, affine)
    write_nifti(volume, tmp_path / "out.nii")
    after = nib.load(tmp_path / "out.nii")
    assert np.allclose(after.affine, scaled, rtol=1e-6)
    assert after.header.get_xyzt_units() == (unit, "msec")


@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 7.0), (np.nan, 3.0), (1.0, 0.0)])
def test_a_slope_of_nought_or_nan_means_no_scaling(tmp_path: Path, slope: float, intercept: float) -> None:
    nib.save(nib.Nifti1Image(ramp(), np.eye(4)), tmp_path / "a.nii")
    patch(tmp_path / "a.nii", "scl_slope", slope)
    patch(tmp_path / "a.nii", "scl_inter", intercept)
    voxels = read_nifti(tmp_path / "a.nii").voxels
    assert voxels.dtype == np.int16
    assert np.array_equal(voxels, ramp())


@pytest.mark.parametrize("code", list(NUMBER_TYPES))
def test_scaling_agrees_with_nibabel(tmp_path: Path, code: int) -> None:
    stored = np.random.default_rng(code).integers(0, 120, (3, 4, 5)).astype(NUMBER_TYPES[code])
    nib.save(nib.Nifti1Image(stored, np.eye(4), dtype=stored.dtype), tmp_path / "a.nii")
    patch(tmp_path / "a.nii", "scl_slope", 0.37)
    patch(tmp_path / "a.nii", "scl_inter", -1024.0)
    voxels = read_nifti(tmp_path / "a.nii").voxels
    assert np.allclose(voxels, nib.load(tmp_path / "a.nii").get_fdata(), rtol=1e-6, atol=1e-4)
    assert voxels.dtype == (np.float32 if stored.dtype.itemsize < 4 or code == 16 else np.float64)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 1), (5, 4, 1), (40, 1, 3), (1, 1, 40000), (33000, 1, 2)])
def test_one_slice_one_row_and_very_long_axes_are_volumes(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    write_nifti(Volume(ramp(shape), affine_of(OBLIQUE)), tmp_path / "a.nii.gz")
    assert np.array_equal(read_nifti(tmp_path / "a.nii.gz").voxels, ramp(shape))
    image = nib.load(tmp_path / "a.nii.gz")
    assert image.shape == shape
    assert isinstance(image, nib.Nifti2Image) == (max(shape) > 32767)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6, 1), (4, 5, 6, 1, 1)])
def test_axes_of_length_one_beyond_the_third_are_dropped(tmp_path: Path, shape: tuple[int, ...]) -> None:
    nib.save(nib.Nifti1Image(np.arange(np.prod(shape), dtype="i2").reshape(shape), np.eye(4)), tmp_path / "a.nii")
    assert read_nifti(tmp_path / "a.nii").shape == ((*shape, 1, 1)[:3])


def test_header_extensions_and_pairs_are_read(tmp_path: Path) -> None:
    image = nib.Nifti1Image(ramp(), affine_of(OBLIQUE))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 300))
    nib.save(image, tmp_path / "a.nii.gz")
    assert np.array_equal(read_nifti(tmp_path / "a.nii.gz").voxels, ramp())
    nib.save(nib.Nifti1Pair(ramp(), affine_of(OBLIQUE)), tmp_path / "b.hdr")
    for end in (".hdr", ".img"):
        assert np.array_equal(read_nifti(tmp_path / f"b{end}").voxels, ramp())
        assert corners_agree((4, 5, 6), read_nifti(tmp_path / f"b{end}").affine, affine_of(OBLIQUE))


def test_several_gzip_members_and_padding_with_zeros_are_valid(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(ramp(), np.eye(4)), tmp_path / "a.nii")
    content = (tmp_path / "a.nii").read_bytes()
    packed = gzip.compress(content[:400]) + gzip.compress(content[400:]) + bytes(512)
    (tmp_path / "b.nii.gz").write_bytes(packed)
    assert np.array_equal(read_nifti(tmp_path / "b.nii.gz").voxels, ramp())


def test_nothing_but_the_grid_is_written(tmp_path: Path) -> None:
    image = nib.Nifti1Image(ramp(), np.eye(4))
    for key in ("descrip", "db_name", "aux_file", "intent_name"):
        image.header[key] = b"DOE^JANE"
    image.header["cal_max"], image.header["toffset"], image.header["slice_duration"] = 80, 3, 2
    image.header.set_intent("t test", (7.0,), name="DOE^JANE")
    nib.save(image, tmp_path / "doe.nii.gz")
    write_nifti(read_nifti(tmp_path / "doe.nii.gz"), tmp_path / "jane_doe.nii.gz")
    packed = (tmp_path / "jane_doe.nii.gz").read_bytes()
    header = nib.load(tmp_path / "jane_doe.nii.gz").header
    assert packed[4:8] == bytes(4)
    assert not packed[3] & 8
    assert b"DOE" not in gzip.decompress(packed)
    for key in ("cal_max", "cal_min", "toffset", "slice_duration", "intent_code", "intent_p1", "scl_inter"):
        assert float(np.nan_to_num(header[key])) == 0
    assert header["scl_slope"] in (1, np.nan) or np.isnan(header["scl_slope"])


def test_equal_volumes_are_equal_bytes(tmp_path: Path) -> None:
    write_nifti(Volume(ramp(), np.eye(4)), tmp_path / "a.nii.gz")
    write_nifti(Volume(np.asfortranarray(ramp()), np.eye(4)), tmp_path / "b.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize(("given_type", "stored"), [("f2", "f4"), ("?", "u1"), (">i2", "i2"), ("u8", "u8")])
def test_types_that_files_lack_are_stored_in_the_next_one(tmp_path: Path, given_type: str, stored: str) -> None:
    voxels = (np.arange(24).reshape(2, 3, 4) % 2).astype(given_type)
    write_nifti(Volume(voxels, np.eye(4)), tmp_path / "a.nii")
    assert read_nifti(tmp_path / "a.nii").voxels.dtype == np.dtype(stored)
    assert np.array_equal(read_nifti(tmp_path / "a.nii").voxels, voxels)


def test_an_array_in_place_of_a_volume_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"no Volume \(found ndarray\).*Volume\(array, affine\)"):
        write_volume(np.zeros((3, 4, 5)), tmp_path / "scan.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_header_of_another_grid_is_not_written(tmp_path: Path) -> None:
    elsewhere = Header(sform=np.diag([9.0, 9.0, 9.0, 1.0]), sform_code=4)
    write_nifti(Volume(ramp(), affine_of(OBLIQUE), header=elsewhere), tmp_path / "a.nii")
    assert corners_agree((4, 5, 6), read_nifti(tmp_path / "a.nii").affine, affine_of(OBLIQUE))


@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(x * x for x in q) > 0.01), st.sampled_from([1.0, -1.0]))
def test_a_quaternion_and_its_affine_are_the_same_rotation(q: tuple[float, ...], handedness: float) -> None:
    unit = np.array(q) / np.linalg.norm(q)
    unit = unit if unit[0] >= 0 else -unit
    affine = quaternion_affine(unit[1:], np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 2.0]), handedness)
    again, side = affine_quaternion(affine)
    assert side == handedness
    assert np.allclose(quaternion_affine(again, affine[:3, 3], np.array([0.5, 1.0, 2.0]), side), affine, atol=1e-7)
    assert np.allclose(affine[:3, :3] / [0.5, 1.0, 2.0 * handedness], nib.quaternions.quat2mat(unit), atol=1e-7)


def patch(path: Path, key: str, value: object) -> None:
    """Write one field of a NIfTI-1 header, whatever nibabel thinks of it."""
    from medp2p.io.nifti_header import NIFTI1

    content = bytearray(path.read_bytes())
    fields = np.frombuffer(content, NIFTI1, 1)
    fields[key] = value
    path.write_bytes(content)


@pytest.mark.parametrize(("header", "image"), [(".hdr", ".IMG"), (".HDR", ".img"), (".Hdr", ".Img"), (".HDR", ".IMG")])
def test_a_pair_goes_together_in_any_case_of_its_extensions(tmp_path: Path, header: str, image: str) -> None:
    nib.save(nib.Nifti1Pair(np.arange(24, dtype="i2").reshape(2, 3, 4), np.eye(4)), tmp_path / "x.hdr")
    (tmp_path / "x.hdr").rename(tmp_path / f"a[1]{header}")
    (tmp_path / "x.img").rename(tmp_path / f"a[1]{image}")
    for named in (header, image):
        assert read_volume(tmp_path / f"a[1]{named}").shape == (2, 3, 4)
