"""MetaImage and NRRD in and out, judged by SimpleITK; what is wrong is refused by its cause."""

import bz2
import gzip
import zlib
from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medp2p.errors import FileError, GeometryError, Medp2pError, OutputExistsError
from medp2p.io import read_volume, write_volume
from medp2p.volume import Volume

ROTATION = nib.eulerangles.euler2mat(0.2, -0.1, 0.3)
EXTENSIONS = [".mha", ".mhd", ".nrrd", ".nhdr"]
TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def volume(dtype: str = "i2", matrix: np.ndarray = ROTATION) -> Volume:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix * [0.7, 1.3, 3.0], (-91.25, 12.5, 33.0)
    return Volume(np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(dtype), affine)


@pytest.mark.parametrize("end", EXTENSIONS)
@pytest.mark.parametrize("dtype", TYPES)
def test_what_is_written_is_what_simpleitk_reads(tmp_path: Path, end: str, dtype: str) -> None:
    write_volume(volume(dtype), tmp_path / f"a{end}")
    seen = Volume.from_sitk(sitk.ReadImage(tmp_path / f"a{end}"))
    assert np.array_equal(seen.voxels, volume(dtype).voxels)
    assert seen.voxels.dtype == np.dtype(dtype)
    assert np.allclose(seen.affine, volume().affine, atol=1e-9)


@pytest.mark.parametrize("end", EXTENSIONS)
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_what_simpleitk_writes_is_read(tmp_path: Path, end: str, dtype: str, compressed: bool) -> None:
    sitk.WriteImage(volume(dtype).to_sitk(), tmp_path / f"a{end}", compressed)
    back = read_volume(tmp_path / f"a{end}")
    assert np.array_equal(back.voxels, volume(dtype).voxels)
    assert back.voxels.dtype == np.dtype(dtype)
    assert back.same_grid(volume(), 1e-9)


@pytest.mark.parametrize("end", [".mha", ".nrrd", ".nii.gz"])
def test_all_48_orders_come_back_on_their_own_grid(tmp_path: Path, end: str) -> None:
    for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        given_ = volume(matrix=ROTATION[:, list(axes)] * signs)
        write_volume(given_, tmp_path / f"a{end}", overwrite=True)
        back = read_volume(tmp_path / f"a{end}")
        assert back.same_grid(given_)
        assert back.orientation == given_.orientation
        assert np.array_equal(back.to_ras(), given_.to_ras())


def nrrd(path: Path, data: bytes | None = None, **changes: str | None) -> Path:
    """A NRRD file of 2 x 3 x 4 int16 written by hand; a field that is None is left out."""
    fields = {
        "type": "int16", "dimension": "3", "space": "left-posterior-superior", "sizes": "2 3 4",
        "space directions": "(1,0,0) (0,2,0) (0,0,3)", "space origin": "(5,6,7)", "endian": "little", "encoding": "raw",
    } | {key.replace("_", " "): value for key, value in changes.items()}  # fmt: skip
    header = "NRRD0004\n# a remark\n" + "".join(f"{k}: {v}\n" for k, v in fields.items() if v is not None) + "\n"
    path.write_bytes(header.encode() + (np.arange(24, dtype="<i2").tobytes() if data is None else data))
    return path


def mha(path: Path, data: bytes | None = None, **changes: str | None) -> Path:
    """A MetaImage of 2 x 3 x 4 int16 written by hand; a field that is None is left out."""
    fields = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False", "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "5 6 7",
        "ElementSpacing": "1 2 3", "DimSize": "2 3 4", "ElementType": "MET_SHORT",
    } | changes  # fmt: skip
    fields["ElementDataFile"] = fields.pop("ElementDataFile", None) or "LOCAL"
    header = "".join(f"{k} = {v}\n" for k, v in fields.items() if v is not None)
    path.write_bytes(header.encode() + (np.arange(24, dtype="<i2").tobytes() if data is None else data))
    return path


def test_lps_ras_and_las_are_the_same_patient(tmp_path: Path) -> None:
    lps = read_volume(nrrd(tmp_path / "lps.nrrd"))
    ras = read_volume(
        nrrd(tmp_path / "r.nrrd", space="RAS", space_directions="(-1,0,0) (0,-2,0) (0,0,3)", space_origin="(-5,-6,7)")
    )
    las = read_volume(
        nrrd(
            tmp_path / "l.nrrd",
            space="left-anterior-superior",
            space_directions="(1,0,0) (0,-2,0) (0,0,3)",
            space_origin="(5,-6,7)",
        )
    )
    assert lps.orientation == "LPS"
    assert lps.same_grid(ras)
    assert lps.same_grid(las)
    assert np.array_equal(lps.voxels.ravel("F"), np.arange(24))


DATA = np.arange(24, dtype="<i2").tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"encoding": "gzip", "data": gzip.compress(DATA)},
        {"encoding": "bzip2", "data": bz2.compress(DATA)},
        {"endian": "big", "data": np.arange(24, dtype=">i2").tobytes()},
        {"byte_skip": "3", "data": b"abc" + DATA},
        {"byte_skip": "-1", "data": b"abc" + DATA},
        {"byteskip": "3", "data": b"abc" + DATA},
        {"dimension": "4", "sizes": "1 2 3 4", "space_directions": "none (1,0,0) (0,2,0) (0,0,3)"},
        {"dimension": "4", "sizes": "2 3 4 1", "space_directions": "(1,0,0) (0,2,0) (0,0,3) none"},
        {"content": "a\x0bb\u2028c\x85d"},
        {"content": "\nold min:"},
    ],
)
def test_other_ways_to_say_the_same_in_nrrd_are_read(tmp_path: Path, changes: dict) -> None:
    assert np.array_equal(read_volume(nrrd(tmp_path / "a.nrrd", **changes)).voxels.ravel("F"), np.arange(24))


@pytest.mark.parametrize(
    "changes",
    [
        {"BinaryDataByteOrderMSB": "True", "data": np.arange(24, dtype=">i2").tobytes()},
        {"HeaderSize": "-1", "data": b"abc" + DATA},
        {"NDims": "4", "DimSize": "2 3 4 1", "ElementSpacing": "1 2 3 1", "Offset": "5 6 7 0",
         "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"},
        {"TransformMatrix": None, "Rotation": "1 0 0 0 1 0 0 0 1"},
        {"ElementSpacing": None, "ElementSize": "1 2 3"},
        {"ElementToIntensityFunctionSlope": "1.000000", "ElementToIntensityFunctionOffset": "0.00"},
    ],
)  # fmt: skip
def test_other_ways_to_say_the_same_in_metaimage_are_read(tmp_path: Path, changes: dict) -> None:
    back = read_volume(mha(tmp_path / "a.mha", **changes))
    assert np.array_equal(back.voxels.ravel("F"), np.arange(24))
    assert np.allclose(back.affine, np.diag([-1, -2, 3, 1]) + np.array([[0, 0, 0, v] for v in (-5, -6, 7, 0)]))


REFUSED: dict[str, tuple[Callable[..., Path], dict, str]] = {
    "cut": (nrrd, {"data": DATA[:-1]}, "cut"),
    "longer": (nrrd, {"data": DATA + b"x"}, "more data"),
    "gzip_cut": (nrrd, {"encoding": "gzip", "data": gzip.compress(DATA)[:-5]}, "cut"),
    "gzip_more": (nrrd, {"encoding": "gzip", "data": gzip.compress(DATA + b"x")}, "more data"),
    "bzip_cut": (nrrd, {"encoding": "bzip2", "data": bz2.compress(DATA)[:-5]}, "damaged"),
    "bzip_more": (nrrd, {"encoding": "bzip2", "data": bz2.compress(DATA + b"xx")}, "damaged"),
    "bzip_junk": (nrrd, {"encoding": "bzip2", "data": b"BZh9nonsense"}, "damaged"),
    "huge": (nrrd, {"sizes": "99999 99999 99999"}, "cut"),
    "huge_gzip": (nrrd, {"sizes": "99999 99999 99999", "encoding": "gzip", "data": gzip.compress(DATA)}, "claims"),
    "zero": (nrrd, {"sizes": "2 0 4"}, "not one volume"),
    "words": (nrrd, {"sizes": "two 3 4"}, "no whole numbers"),
    "dimension": (nrrd, {"dimension": "4"}, "contradict"),
    "flat": (nrrd, {"dimension": "2", "sizes": "4 6", "space_directions": "(1,0,0) (0,2,0)"}, "not those of a volume"),
    "vectors": (nrrd, {"dimension": "4", "sizes": "3 2 2 2", "space_directions": "none (1,0,0) (0,2,0) (0,0,3)"}, ""),
    "no_space": (nrrd, {"space": None}, "in which space"),
    "scanner": (nrrd, {"space": "scanner-xyz"}, "in which space"),
    "no_directions": (nrrd, {"space_directions": None}, "how the image lies"),
    "no_origin": (nrrd, {"space_origin": None}, "where the image lies"),
    "singular": (nrrd, {"space_directions": "(1,0,0) (1,0,0) (0,0,3)"}, "singular"),
    "nan": (nrrd, {"space_directions": "(nan,0,0) (0,1,0) (0,0,3)"}, "no such numbers"),
    "inches": (nrrd, {"space_units": '"in" "in" "in"'}, "other units"),
    "no_endian": (nrrd, {"endian": None}, "which byte"),
    "ascii": (nrrd, {"encoding": "ascii"}, "encoding"),
    "block": (nrrd, {"type": "block"}, "real number"),
    "elsewhere": (nrrd, {"data_file": "../../../etc/passwd"}, "not followed"),
    "list": (nrrd, {"data_file": "LIST"}, "not followed"),
    "numbered": (nrrd, {"data_file": "slice%03d.raw 1 4 1"}, "not followed"),
    "absolute": (nrrd, {"data_file": "/etc/passwd"}, "not followed"),
    "away": (nrrd, {"data_file": "missing.raw"}, "not there"),
    "not_finite": (nrrd, {"type": "float", "sizes": "1 1 1", "data": np.float32("nan").tobytes()}, "NaN"),
    "mha_cut": (mha, {"data": DATA[:-1]}, "cut"),
    "mha_longer": (mha, {"data": DATA + b"x"}, "more data"),
    "mha_huge": (mha, {"DimSize": "99999 99999 99999"}, "cut"),
    "mha_zero": (mha, {"DimSize": "0 3 4"}, "not one volume"),
    "mha_flat": (mha, {"NDims": "2", "DimSize": "4 6", "TransformMatrix": "1 0 0 1", "Offset": "0 0"}, "volume"),
    "mha_ndims": (mha, {"NDims": "4"}, "contradict"),
    "mha_colour": (mha, {"ElementNumberOfChannels": "3"}, "colours"),
    "mha_type": (mha, {"ElementType": "MET_FLOAT_MATRIX"}, "real number"),
    "mha_text": (mha, {"BinaryData": "False"}, "written as text"),
    "mha_no_directions": (mha, {"TransformMatrix": None}, "how the image lies"),
    "mha_no_origin": (mha, {"Offset": None}, "where the image lies"),
    "mha_no_spacing": (mha, {"ElementSpacing": None}, "how large"),
    "mha_spacing": (mha, {"ElementSpacing": "1 -2 3"}, "0 or below"),
    "mha_singular": (mha, {"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "singular"),
    "mha_long": (mha, {"TransformMatrix": "2 0 0 0 2 0 0 0 2"}, "length is not 1"),
    "mha_nan": (mha, {"Offset": "nan 0 0"}, "no such numbers"),
    "mha_passwd": (mha, {"ElementDataFile": "../../../etc/passwd"}, "not followed"),
    "mha_list": (mha, {"ElementDataFile": "LIST"}, "not followed"),
    "mha_away": (mha, {"ElementDataFile": "missing.raw"}, "not there"),
    "mha_compressed": (mha, {"CompressedData": "True"}, "damaged|claims"),
    "mha_size": (mha, {"CompressedData": "True", "CompressedDataSize": "-4"}, ""),
    "mha_metres": (mha, {"DistanceUnits": "m"}, "millimetres"),
    "mha_no_size": (mha, {"CompressedData": "True", "CompressedDataSize": ""}, "no whole number"),
    "mha_two_sizes": (mha, {"CompressedData": "True", "CompressedDataSize": "3 4"}, "no whole number"),
    "mha_two_skips": (mha, {"HeaderSize": "3 4"}, "no whole number"),
    "mha_underscore": (mha, {"ElementSpacing": "1_0 2 3"}, "no such numbers"),
    "mha_two_origins": (mha, {"Position": "50 6 7"}, "contradict"),
    "mha_two_directions": (mha, {"Orientation": "0 1 0 1 0 0 0 0 1"}, "contradict"),
    "mha_two_orders": (mha, {"ElementByteOrderMSB": "True"}, "contradict"),
    "mha_order": (mha, {"BinaryDataByteOrderMSB": "perhaps"}, "neither true nor false"),
    "mha_packed": (mha, {"CompressedData": "perhaps"}, "neither true nor false"),
    "mha_scaled": (mha, {"ElementToIntensityFunctionSlope": "2"}, "do not agree"),
    "mha_tiny_voxels": (mha, {"ElementSpacing": "1e-6 1e-6 1e-6"}, "impossible size"),
    "mha_huge_voxels": (mha, {"ElementSpacing": "1e5 1e5 1e5"}, "impossible size"),
    "mha_bomb": (
        mha,
        {"CompressedData": "True", "DimSize": "9999 9999 9", "data": zlib.compress(bytes(2_000_000), 9)},
        "compressed file can hold",
    ),
    "bzip_bomb": (
        nrrd,
        {"encoding": "bzip2", "sizes": "9999 9999 9", "data": bz2.compress(bytes(9_000_000))},
        "bomb",
    ),
    "between_directions": (nrrd, {"space_directions": "or (1,0,0) so (0,2,0) (0,0,3)"}, "no such numbers"),
    "two_skips": (nrrd, {"byte_skip": "3", "byteskip": "0", "data": b"abc" + DATA}, "twice"),
    "two_data_files": (nrrd, {"data_file": "a.raw", "datafile": "b.raw"}, "twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_by_its_name_and_cause(tmp_path: Path, name: str) -> None:
    make, changes, cause = REFUSED[name]
    path = make(tmp_path / f"{name}.{make.__name__}", **changes)
    with pytest.raises(Medp2pError, match=f"(?s)^{path}: .*({cause}).*Fix: "):
        read_volume(path)


def test_damaged_compressed_voxels_are_refused(tmp_path: Path) -> None:
    write_volume(volume("f4"), tmp_path / "a.mha")
    content = bytearray((tmp_path / "a.mha").read_bytes())
    content[-3] ^= 1
    (tmp_path / "a.mha").write_bytes(content)
    with pytest.raises(FileError, match="damaged"):
        read_volume(tmp_path / "a.mha")


def test_a_data_file_in_the_same_folder_may_be_written_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(DATA)
    assert read_volume(nrrd(tmp_path / "a.nhdr", b"", data_file="./a.raw")).shape == (2, 3, 4)


@pytest.mark.parametrize("end", [".mhd", ".nhdr"])
@pytest.mark.parametrize("stem", ["sagittal Schädel", "頭部", "100%", "a%03d", "list of heads", "\udcff"])
def test_a_pair_of_any_name_is_read_as_it_was_written(tmp_path: Path, stem: str, end: str) -> None:
    write_volume(volume(), tmp_path / f"{stem}{end}")
    assert np.array_equal(read_volume(tmp_path / f"{stem}{end}").voxels, volume().voxels)


def test_far_from_the_origin_a_grid_is_kept_where_short_numbers_would_lose_it(tmp_path: Path) -> None:
    far = read_volume(mha(tmp_path / "a.mha", Offset="123456.789 6 7"))
    write_volume(far, tmp_path / "a.nii.gz")
    assert read_volume(tmp_path / "a.nii.gz").same_grid(far)
    assert np.abs(nib.load(tmp_path / "a.nii.gz").affine - far.affine).max() < 1e-3


def test_a_link_to_data_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "other.raw").write_bytes(DATA)
    (tmp_path / "here" / "a.raw").symlink_to(tmp_path / "other.raw")
    with pytest.raises(FileError, match="link to another folder"):
        read_volume(mha(tmp_path / "here" / "a.mhd", data=b"", ElementDataFile="a.raw"))


@pytest.mark.parametrize("end", [".mhd", ".nhdr"])
def test_a_pair_is_replaced_only_when_asked(tmp_path: Path, end: str) -> None:
    write_volume(volume(), tmp_path / f"a{end}")
    with pytest.raises(OutputExistsError):
        write_volume(volume("f4"), tmp_path / f"a{end}")
    write_volume(volume("f4"), tmp_path / f"a{end}", overwrite=True)
    assert read_volume(tmp_path / f"a{end}").voxels.dtype == np.float32
    (tmp_path / f"a{end}").unlink()
    with pytest.raises(OutputExistsError):
        write_volume(volume(), tmp_path / f"a{end}")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("end", EXTENSIONS)
def test_a_shear_is_refused_by_formats_that_cannot_hold_it(tmp_path: Path, end: str) -> None:
    sheared = Volume(np.zeros((2, 3, 4), "i2"), np.array([[1, 0, 0.4, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    with pytest.raises(GeometryError, match="sheared"):
        write_volume(sheared, tmp_path / f"a{end}")
    assert not list(tmp_path.iterdir())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([nrrd, mha]), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1))
def test_a_scrambled_header_ends_in_one_line(tmp_path: Path, make: Callable[..., Path], damage: list) -> None:
    path = make(tmp_path / f"a.{make.__name__}")
    content = bytearray(path.read_bytes())
    for position, value in damage:
        content[position] = value
    path.write_bytes(content)
    try:
        said = repr(read_volume(path))
    except Medp2pError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize("end", [".MHA", ".Mhd", ".NRRD", ".nHDR", ".NII.GZ", ".NII"])
def test_the_case_of_an_extension_does_not_matter(tmp_path: Path, end: str) -> None:
    write_volume(volume(), tmp_path / f"a{end}")
    assert read_volume(tmp_path / f"a{end}").same_grid(volume())
