"""A corpus of NIfTI files that are wrong: each is refused by its name and cause, without taking much memory."""

import gzip
import os
import resource
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medp2p.errors import FileError, GeometryError, Medp2pError
from medp2p.io.nifti_header import NIFTI1
from medp2p.io.nifti_read import read_nifti
from medp2p.io.volumes import read_volume
from medp2p.volume import Volume

SHAPE = (12, 11, 10)
AFFINE = np.array([[-1.0, 0, 0, 5], [0, 1.5, 0, -7], [0, 0, 3, 9], [0, 0, 0, 1]])
NAN, INF = float("nan"), float("inf")


def good(dtype: str = "i2") -> bytes:
    voxels = np.random.default_rng(0).integers(-1000, 3000, SHAPE).astype(dtype)
    image = nib.Nifti1Image(voxels, AFFINE)
    image.set_qform(AFFINE, 1)
    image.set_sform(AFFINE, 1)
    return bytes(image.to_bytes())


def patched(dtype: str = "i2", **fields: object) -> bytes:
    content = bytearray(good(dtype))
    record = np.frombuffer(content, NIFTI1, 1)[0]
    for key, value in fields.items():
        record[key] = value
    return bytes(content)


def dim(*lengths: int) -> list[int]:
    return [*lengths, *[1] * (8 - len(lengths))]


def with_voxel(value: float, dtype: str = "f4") -> bytes:
    content = bytearray(good(dtype))
    content[352 + 400 : 352 + 400 + np.dtype(dtype).itemsize] = np.array(value, dtype).tobytes()
    return bytes(content)


def flipped(packed: bytes, position: float) -> bytes:
    content = bytearray(packed)
    content[int(len(content) * position)] ^= 0x10
    return bytes(content)


def srow(matrix: np.ndarray) -> np.ndarray:
    return np.hstack([matrix, [[5.0], [-7.0], [9.0]]])


PLAIN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "cut_in_header": (good()[:200], "cut"),
    "cut_after_header": (good()[:352], "cut.*voxels"),
    "cut_at_60_percent": (good()[: len(good()) * 6 // 10], "cut.*voxels"),
    "one_byte_short": (good()[:-1], "cut"),
    "one_byte_more": (good() + b"\0", "more data"),
    "text": (b"MONAI pix2pix " * 50, "no NIfTI"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(500), "no NIfTI"),
    "html": (b"<!DOCTYPE html><title>404</title>" + b" " * 500, "no NIfTI"),
    "gzip_named_nii": (gzip.compress(good()), "gzip file, though"),
    "no_magic": (patched(magic=b"abc"), "magic"),
    "pair_magic": (patched(magic=b"ni1"), "header of a pair"),
    "analyze": (patched(magic=b""), "Analyze"),
    "no_dimension": (patched(dim=dim(0)), "dimensions"),
    "eight_dimensions": (patched(dim=dim(8, 12, 11, 10)), "dimensions"),
    "dimension_zero": (patched(dim=dim(3, 12, 0, 10)), "dimensions"),
    "dimension_negative": (patched(dim=dim(3, 12, -11, 10)), "dimensions"),
    "dimensions_larger": (patched(dim=dim(3, 12, 11, 100)), "cut"),
    "dimensions_absurd": (patched(dim=dim(3, 32767, 32767, 32767)), "cut"),
    "dimensions_smaller": (patched(dim=dim(3, 12, 11, 9)), "more data"),
    "two_volumes": (patched(dim=dim(4, 12, 11, 5, 2)), "more than one volume"),
    "vectors": (patched(dim=dim(5, 12, 11, 5, 1, 2)), "more than one volume"),
    "rgb": (patched(datatype=128, bitpix=24), "RGB"),
    "rgba": (patched(datatype=2304, bitpix=32), "RGBA"),
    "complex": (patched(datatype=32, bitpix=64), "complex64"),
    "binary": (patched(datatype=1, bitpix=1), "binary"),
    "datatype_zero": (patched(datatype=0), "datatype code 0"),
    "datatype_unknown": (patched(datatype=777), "datatype code 777"),
    "bitpix": (patched(bitpix=32), "bitpix"),
    "offset_nan": (patched(vox_offset=NAN), "vox_offset"),
    "offset_inf": (patched(vox_offset=INF), "vox_offset|cut"),
    "offset_negative": (patched(vox_offset=-352), "vox_offset"),
    "offset_in_header": (patched(vox_offset=100), "vox_offset"),
    "offset_fraction": (patched(vox_offset=352.5), "vox_offset"),
    "offset_past_end": (patched(vox_offset=1e9), "cut"),
    "slope_inf": (patched(scl_slope=INF), "scaling is not finite"),
    "intercept_nan": (patched(scl_slope=2, scl_inter=NAN), "scaling is not finite"),
    "intercept_inf": (patched(scl_slope=2, scl_inter=-INF), "scaling is not finite"),
    "slope_overflow": (patched(scl_slope=3e38), "too large"),
    "voxel_nan": (with_voxel(NAN), "1 NaN or Inf"),
    "voxel_inf": (with_voxel(-INF), "1 NaN or Inf"),
    "voxel_beyond_float32": (with_voxel(1e300, "f8"), "too large"),
    "no_codes": (patched(sform_code=0, qform_code=0), "code 0"),
    "sform_nan": (patched(srow=NAN), "sform is not finite"),
    "sform_inf": (patched(srow=srow(np.diag([INF, 1.5, 3]))), "sform is not finite"),
    "sform_zero": (patched(srow=0), "singular"),
    "sform_row_zero": (patched(srow=srow(np.diag([-1.0, 1.5, 0]))), "singular"),
    "sform_flat": (patched(srow=srow(np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 3]]))), "singular"),
    "sform_pixdim": (patched(srow=srow(np.diag([-4.0, 6.0, 12.0]))), "sform and pixdim contradict"),
    "pixdim_nan": (patched(pixdim=NAN, qform_code=0), "sform and pixdim contradict"),
    "left_right": (patched(srow=srow(np.diag([1.0, 1.5, 3.0]))), "left and right are exchanged"),
    "half_turn": (patched(srow=srow(np.diag([1.0, -1.5, 3.0]))), "left and right are exchanged"),
    "qform_size_zero": (patched(pixdim=[1, 1, 1.5, 0, 1, 1, 1, 1], sform_code=0), "voxel size"),
    "qform_size_negative": (patched(pixdim=[1, -1, 1.5, 3, 1, 1, 1, 1], sform_code=0), "voxel size"),
    "qform_size_negative_with_sform": (patched(pixdim=[1, -1, 1.5, 3, 1, 1, 1, 1]), "voxel size"),
    "quaternion_long": (patched(quatern=[0.9, 0.9, 0], sform_code=0), "no rotation"),
    "quaternion_nan": (patched(quatern=NAN), "no rotation"),
    "qoffset_inf": (patched(qoffset=INF, sform_code=0), "no rotation"),
    "unit_metre": (patched(xyzt_units=1), "meters.*impossible size"),
    "unit_micron": (patched(xyzt_units=3), "microns.*impossible size"),
    "voxels_tiny": (patched(pixdim=1e-6, srow=srow(np.diag([1e-6] * 3)), qform_code=0), "impossible size"),
    "voxels_huge": (patched(pixdim=1e5, srow=srow(np.diag([1e5] * 3)), qform_code=0), "impossible size"),
    "sform_code": (patched(sform_code=99), "code that NIfTI does not know.*sform 99"),
    "qform_code": (patched(qform_code=-1), "code that NIfTI does not know.*qform -1"),
    "magic_of_other_version": (patched(magic=b"n+2"), "magic|NIfTI"),
}
PACKED: dict[str, tuple[bytes, str]] = {
    "plain_named_gz": (good(), "no gzip file"),
    "cut_in_half": (gzip.compress(good())[:1000], "cut"),
    "cut_in_tail": (gzip.compress(good())[:-4], "cut"),
    "checksum": (gzip.compress(good())[:-8] + b"1234" + gzip.compress(good())[-4:], "checksum"),
    "length": (gzip.compress(good())[:-4] + b"1234", "length|damaged"),
    "bit_flip_early": (flipped(gzip.compress(good()), 0.3), "damaged|cut|more data"),
    "bit_flip_late": (flipped(gzip.compress(good()), 0.9), "damaged|cut|more data"),
    "garbage_after": (gzip.compress(good()) + b"garbage after the end", "no gzip data follows|cut"),
    "garbage_after_padding": (gzip.compress(good()) + bytes(100) + b"x", "no gzip data follows|cut"),
    "second_member_cut": (gzip.compress(good()[:500]) + gzip.compress(good()[500:])[:-9], "cut|damaged"),
    "more_voxels_inside": (gzip.compress(good() + bytes(64)), "more data"),
    "fewer_voxels_inside": (gzip.compress(good()[:-64]), "cut"),
    "claims_terabytes": (gzip.compress(patched(dim=dim(3, 32767, 32767, 32767))), "claims more voxels"),
    "bomb": (gzip.compress(patched() + bytes(300_000_000), 9), "more data"),
    "gzip_in_gzip": (gzip.compress(gzip.compress(good())), "no NIfTI"),
    "reserved_flags": (gzip.compress(good())[:3] + b"\xe0" + gzip.compress(good())[4:], "gzip header"),
}


@pytest.fixture(scope="module", autouse=True)
def little_memory() -> None:
    """What the corpus claims may never be taken: it would be seen in the largest memory used so far."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000


@pytest.mark.parametrize("name", PLAIN)
def test_a_wrong_file_is_refused_by_its_name_and_cause(tmp_path: Path, name: str) -> None:
    content, cause = PLAIN[name]
    path = tmp_path / f"{name}.nii"
    path.write_bytes(content)
    with pytest.raises(Medp2pError, match=f"(?s)^{path}: .*({cause}).*Fix: "):
        read_nifti(path)


@pytest.mark.parametrize("name", PACKED)
def test_a_wrong_compressed_file_is_refused_by_its_name_and_cause(tmp_path: Path, name: str) -> None:
    content, cause = PACKED[name]
    path = tmp_path / f"{name}.nii.gz"
    path.write_bytes(content)
    with pytest.raises(FileError, match=f"(?s)^{path}: .*({cause}).*Fix: "):
        read_nifti(path)


@pytest.mark.parametrize("name", ["no_codes", "left_right", "sform_zero", "sform_pixdim", "analyze"])
def test_a_wrong_grid_is_a_geometry_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.nii").write_bytes(PLAIN[name][0])
    with pytest.raises(GeometryError):
        read_nifti(tmp_path / "a.nii")


def test_the_good_file_of_the_corpus_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(good())
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(good()))
    assert read_nifti(tmp_path / "a.nii").same_grid(read_nifti(tmp_path / "b.nii.gz"))


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.nii")
    (tmp_path / "folder.nii").mkdir()
    (tmp_path / "loop.nii").symlink_to(tmp_path / "loop.nii")
    (tmp_path / "device.nii").symlink_to("/dev/zero")
    for name in ("pipe.nii", "folder.nii", "loop.nii", "device.nii", "missing.nii"):
        with pytest.raises(FileError, match=name):
            read_nifti(tmp_path / name)


def test_half_a_pair_is_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(np.zeros(SHAPE, "i2"), AFFINE), tmp_path / "a.hdr")
    image = tmp_path / "a.img"
    image.write_bytes(image.read_bytes()[:-2])
    with pytest.raises(FileError, match=r"a\.img: the file is cut"):
        read_nifti(tmp_path / "a.hdr")
    image.unlink()
    with pytest.raises(FileError, match="other file of the pair"):
        read_nifti(tmp_path / "a.hdr")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.nii"
    path.write_bytes(good())
    from medp2p.io import nifti_read

    take: Callable[..., object] = nifti_read._read_voxels

    def meanwhile(*arguments: object) -> object:
        voxels = take(*arguments)
        path.write_bytes(good() + b"x")
        return voxels

    monkeypatch.setattr(nifti_read, "_read_voxels", meanwhile)
    with pytest.raises(FileError, match="changed while it was read"):
        read_nifti(path)


def outcome(path: Path) -> tuple[Volume | None, str]:
    try:
        return read_nifti(path), ""
    except Medp2pError as error:
        return None, str(error)


def good_nifti2() -> bytes:
    return bytes(nib.Nifti2Image(np.ones(SHAPE, "f4"), AFFINE).to_bytes())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([good("f4"), good_nifti2()]),
    st.lists(st.tuples(st.integers(0, 543), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_scrambled_header_is_read_or_refused_in_one_line(
    tmp_path: Path, original: bytes, damage: list[tuple[int, int]]
) -> None:
    content = bytearray(original)
    for position, value in damage:
        content[position] = value
    (tmp_path / "a.nii").write_bytes(content)
    volume, refusal = outcome(tmp_path / "a.nii")
    assert volume is not None or (refusal.startswith(str(tmp_path)) and "\n" not in refusal)
    assert volume is None or (np.isfinite(volume.voxels).all() and np.isfinite(volume.affine).all())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 0.999), st.integers(1, 255))
def test_a_damaged_compressed_file_never_gives_other_voxels(tmp_path: Path, where: float, bits: int) -> None:
    content = bytearray(gzip.compress(good()))
    content[int(len(content) * where)] ^= bits
    (tmp_path / "a.nii.gz").write_bytes(content)
    (tmp_path / "b.nii").write_bytes(good())
    volume, refusal = outcome(tmp_path / "a.nii.gz")
    assert volume is not None or "a.nii.gz: " in refusal
    assert volume is None or np.array_equal(volume.voxels, read_nifti(tmp_path / "b.nii").voxels)


@pytest.mark.parametrize("pointer", ["version https://git-lfs.github.com/spec/v1\n", "/annex/objects/MD5E"])
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mha"])
def test_a_file_that_was_not_fetched_says_how_to_fetch_it(tmp_path: Path, name: str, pointer: str) -> None:
    (tmp_path / name).write_text(pointer)
    with pytest.raises(FileError, match=r"only points to the file.*git lfs pull.*datalad get"):
        read_volume(tmp_path / name)


def test_a_link_to_a_file_that_was_not_fetched_is_told_as_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").symlink_to(".git/annex/objects/a")
    with pytest.raises(FileError, match="a link to a file that is not there"):
        read_volume(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(("name", "fix"), [("a.nii", "add .gz: a.nii.gz"), ("a.mha", "unpack"), ("a.img", "unpack")])
def test_a_gzip_file_under_another_name_is_answered_with_a_name_that_is_read(
    tmp_path: Path, name: str, fix: str
) -> None:
    nib.save(nib.Nifti1Pair(np.zeros(SHAPE, "i2"), AFFINE), tmp_path / "a.hdr")
    (tmp_path / name).write_bytes(gzip.compress(b"anything"))
    with pytest.raises(FileError, match=rf"this is a gzip file.*{fix}"):
        read_volume(tmp_path / name)


def test_an_unpacked_file_that_is_named_as_packed_is_told_its_name(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, "i2"), AFFINE), tmp_path / "a.nii")
    (tmp_path / "a.nii").rename(tmp_path / "a.nii.gz")
    with pytest.raises(FileError, match=r"no gzip file, though its name says so. Fix: name it as what it is: a\.nii$"):
        read_volume(tmp_path / "a.nii.gz")
