"""DICOM series in: right values on the right grid, or one line that names file or folder."""

import shutil
import struct
from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from medp2p.errors import FileError, GeometryError, Medp2pError
from medp2p.io import read_volume
from medp2p.io.dicom_elements import read_dicom_header
from medp2p.io.dicom_read import read_series
from medp2p.io.exact import open_regular
from medp2p.volume import Volume

from . import dicom_phantom as phantom

ROTATION = nib.eulerangles.euler2mat(0.2, -0.1, 0.3)


def by_simpleitk(folder: Path) -> Volume:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return Volume.from_sitk(reader.Execute())


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_series_is_read_as_simpleitk_reads_it(tmp_path: Path, modality: str, syntax: str) -> None:
    volume = read_volume(phantom.write(tmp_path / "s", modality=modality, syntax=syntax))
    other = by_simpleitk(tmp_path / "s")
    assert np.array_equal(volume.voxels, phantom.voxels(modality=modality))
    assert volume.same_grid(other)
    assert np.array_equal(volume.voxels, other.voxels)
    assert volume.spacing_mm == pytest.approx((0.8, 1.5, 3.0))


def test_big_endian_is_read(tmp_path: Path) -> None:
    def swap(one: Dataset, _: int) -> None:
        one["PixelData"].value = np.frombuffer(one.PixelData, "<u2").astype(">u2").tobytes()

    folder = phantom.write(tmp_path / "s", syntax=ExplicitVRBigEndian, change=swap)
    assert np.array_equal(read_volume(folder).voxels, phantom.voxels())


def test_rle_is_read(tmp_path: Path) -> None:
    phantom.write(tmp_path / "s")
    for path in (tmp_path / "s").iterdir():
        one = pydicom.dcmread(path)
        one.compress(RLELossless, generate_instance_uid=False)
        one.save_as(path)
    assert np.array_equal(read_volume(tmp_path / "s").voxels, phantom.voxels())


def test_all_orders_and_flips_of_the_axes_are_read(tmp_path: Path) -> None:
    for number, (axes, signs) in enumerate(product(permutations(range(3)), product((1, -1), repeat=2))):
        row, column = (ROTATION[:, axes[n]] * signs[n] for n in range(2))
        folder = phantom.write(tmp_path / str(number), row=tuple(row), column=tuple(column))
        volume = read_volume(folder)
        assert volume.same_grid(by_simpleitk(folder))
        assert np.array_equal(volume.voxels, phantom.voxels())


def test_order_comes_from_positions_not_from_names_or_numbers(tmp_path: Path) -> None:
    def misnumber(one: Dataset, index: int) -> None:
        one.InstanceNumber, one.SliceThickness = 99 - index, 17

    volume = read_volume(phantom.write(tmp_path / "s", change=misnumber))
    assert np.array_equal(volume.voxels, phantom.voxels())
    assert volume.spacing_mm[2] == pytest.approx(3.0)


def test_rescale_may_differ_from_slice_to_slice(tmp_path: Path) -> None:
    def rescale(one: Dataset, index: int) -> None:
        one.RescaleSlope, one.RescaleIntercept = 1 + index / 4, -1024 + index

    volume = read_volume(phantom.write(tmp_path / "s", change=rescale))
    stored = phantom.voxels().astype(float) + 1024
    assert np.allclose(volume.voxels, stored * (1 + np.arange(5) / 4) - 1024 + np.arange(5))
    assert volume.voxels.dtype == np.float32


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("compress", [False, True])
def test_only_the_stored_bits_count_and_keep_their_sign(tmp_path: Path, signed: int, compress: bool) -> None:
    expected = np.array([[-2048, -1, 0], [1, 2047, 5]] if signed else [[0, 1, 4095], [7, 2048, 9]], np.int16)

    def junk(one: Dataset, _: int) -> None:
        one.Rows, one.Columns, one.PixelRepresentation = 2, 3, signed
        one["PixelData"].value = ((expected.astype(np.uint16) & 0x0FFF) | 0xA000).astype("<u2").tobytes()

    phantom.write(tmp_path / "s", modality="MR", change=junk)
    for path in (tmp_path / "s").iterdir() if compress else ():
        one = pydicom.dcmread(path)
        one.compress(RLELossless, generate_instance_uid=False)
        one.save_as(path)
    assert np.array_equal(read_volume(tmp_path / "s").voxels[:, :, 0].T, expected)


@pytest.mark.parametrize(("modality", "nothing"), [("CT", -1024), ("MR", 0)])
def test_padding_becomes_no_data(tmp_path: Path, modality: str, nothing: int) -> None:
    def pad(one: Dataset, _: int) -> None:
        pixels = np.frombuffer(one.PixelData, "<u2").copy()
        pixels[:3] = 63536  # -2000, beyond the stored bits
        one.add_new(0x00280120, "US", 63536)
        one["PixelData"].value = pixels.tobytes()

    voxels = read_volume(phantom.write(tmp_path / "s", modality=modality, change=pad)).voxels
    assert (voxels[:3, 0] == nothing).all()
    assert np.array_equal(voxels[:, 1:], phantom.voxels(modality=modality)[:, 1:])


def test_a_range_of_padding_is_no_data(tmp_path: Path) -> None:
    def pad(one: Dataset, _: int) -> None:
        one.add_new(0x00280120, "US", 0)
        one.add_new(0x00280121, "US", 100)

    voxels = read_volume(phantom.write(tmp_path / "s", modality="MR", change=pad)).voxels
    original = phantom.voxels(modality="MR")
    assert np.array_equal(voxels, np.where(original <= 100, 0, original))


def test_scouts_captures_and_other_objects_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def scout(one: Dataset, _: int) -> None:
        one.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    def capture(one: Dataset, _: int) -> None:
        one.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"

    def structures(one: Dataset, _: int) -> None:
        one.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"

    def ghost(one: Dataset, _: int) -> None:
        one.SOPClassUID = "1.2.3.4"

    folder = phantom.write(tmp_path / "s")
    for number, change in enumerate((scout, capture, structures, ghost)):
        other = phantom.write(tmp_path / f"o{number}", row=(0, 1, 0), column=(0, 0, 1), change=change)
        shutil.copy(other / "IM0000", folder / f"other{number}")
    (folder / "report.txt").write_text("text")
    (folder / ".hidden").write_text("text")
    (folder / "DICOMDIR").write_bytes(b"x" * 200)
    with caplog.at_level("INFO"):
        assert np.array_equal(read_volume(folder).voxels, phantom.voxels())
    assert "1 x no DICOM, 1 x other object, 1 x scout, 1 x secondary capture, 1 x structure set" in caplog.text


def test_one_of_several_series_is_chosen_by_its_uid(tmp_path: Path) -> None:
    folder, other = phantom.write(tmp_path / "s"), phantom.write(tmp_path / "o", modality="MR")
    uid = pydicom.dcmread(other / "IM0000").SeriesInstanceUID
    for path in other.iterdir():
        shutil.copy(path, folder / f"b{path.name}")
    with pytest.raises(FileError, match=rf"s: 2 series in one folder.*{uid} \(MR, number 4, 5 images of 7 x 6\)"):
        read_volume(folder)
    with pytest.raises(FileError, match="no such series"):
        read_volume(folder, series="1.2.3")
    assert np.array_equal(read_volume(folder, series=uid).voxels, phantom.voxels(modality="MR"))


def test_what_is_wrong_with_another_series_is_no_obstacle_to_the_one_that_is_asked_for(tmp_path: Path) -> None:
    folder = phantom.write(tmp_path / "s")
    uid = pydicom.dcmread(folder / "IM0000").SeriesInstanceUID
    colours = phantom.write(
        tmp_path / "c", modality="MR", change=set_(PhotometricInterpretation_all="RGB", SamplesPerPixel_all=3)
    )
    for path in colours.iterdir():
        shutil.copy(path, folder / f"map_{path.name}")
    with pytest.raises(FileError, match=r"s/map_.*colours"):
        read_volume(folder)
    assert np.array_equal(read_volume(folder, series=uid).voxels, phantom.voxels())


def test_blank_uids_are_no_obstacle(tmp_path: Path) -> None:
    def blank(one: Dataset, _: int) -> None:
        one.StudyInstanceUID = one.SeriesInstanceUID = one.FrameOfReferenceUID = ""

    assert np.array_equal(read_volume(phantom.write(tmp_path / "s", change=blank)).voxels, phantom.voxels())


def test_an_unknown_character_set_is_no_obstacle(tmp_path: Path) -> None:
    def klingon(one: Dataset, _: int) -> None:
        one.SpecificCharacterSet = "ISO_IR 999"

    folder = tmp_path / "s"
    with pytest.warns(UserWarning, match="Unknown encoding"):
        phantom.write(folder, change=klingon)
    assert np.array_equal(read_volume(folder).voxels, phantom.voxels())


def enhanced(
    path: Path, *, change: Callable[[Dataset], None] | None = None, syntax: str = ExplicitVRLittleEndian
) -> Path:
    """One enhanced MR object of five frames, in another order than their places."""
    one = phantom._slice("MR", np.zeros((6, 7), np.int16))
    one.SOPClassUID, one.NumberOfFrames = "1.2.840.10008.5.1.4.1.1.4.1", 5
    one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(prefix=None), generate_uid(prefix=None)
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1.5, 0.8], 3
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    one.SharedFunctionalGroupsSequence = [shared]
    order, frames = [3, 1, 4, 0, 2], []
    for place in order:
        frame, position, transform = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [-90.5, -120.25, 33.0 + 3 * place]
        transform.RescaleSlope, transform.RescaleIntercept = 1 + place, place
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = [position], [transform]
        frames.append(frame)
    one.PerFrameFunctionalGroupsSequence = frames
    stack = phantom.voxels(modality="MR").T[order]
    one["PixelData"].value = stack.astype("<u2").tobytes()
    if change is not None:
        change(one)
    phantom.save(one, path, syntax)
    return path


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless])
def test_an_enhanced_multi_frame_object_is_a_series(tmp_path: Path, syntax: str) -> None:
    path = enhanced(tmp_path / "mr.dcm", syntax=ExplicitVRLittleEndian if syntax == RLELossless else syntax)
    if syntax == RLELossless:
        one = pydicom.dcmread(path)
        one.compress(RLELossless, generate_instance_uid=False)
        one.save_as(path)
    for given_ in (path, tmp_path):
        volume = read_volume(given_)
        assert np.allclose(volume.voxels, phantom.voxels(modality="MR") * (1.0 + np.arange(5)) + np.arange(5))
        assert volume.spacing_mm == pytest.approx((0.8, 1.5, 3.0))


def test_frames_without_places_are_refused(tmp_path: Path) -> None:
    def fewer(one: Dataset) -> None:
        one.PerFrameFunctionalGroupsSequence = list(one.PerFrameFunctionalGroupsSequence)[:4]

    with pytest.raises(GeometryError, match="not as many"):
        read_volume(enhanced(tmp_path / "mr.dcm", change=fewer))


def set_(**values: object) -> phantom.Change:
    """On slice 2, or where the name ends in _all on every slice; None deletes."""

    def change(one: Dataset, index: int) -> None:
        for name, value in values.items():
            if not (name.endswith("_all") or index == 2):
                continue
            name = name.removesuffix("_all")
            if value is None:
                delattr(one, name)
            else:
                setattr(one, name, value)

    return change


def shifted(one: Dataset, index: int) -> None:
    if index == 2:
        one.ImagePositionPatient = [-88.5, *one.ImagePositionPatient[1:]]


def uneven(one: Dataset, index: int) -> None:
    if index == 2:
        one.ImagePositionPatient = [*one.ImagePositionPatient[:2], 33 + 6.5]


def doubled(one: Dataset, index: int) -> None:
    if index == 2:
        one.ImagePositionPatient = [*one.ImagePositionPatient[:2], 36.0]


def short(one: Dataset, index: int) -> None:
    if index == 2:
        one["PixelData"].value = one.PixelData[:-10]


def long(one: Dataset, index: int) -> None:
    if index == 2:
        one["PixelData"].value = one.PixelData + bytes(10)


FILE, FOLDER = r"s/IM0004: ", "s: "
REFUSED: dict[str, tuple[dict[str, object], str, str]] = {
    "missing_slice": ({"keep": lambda index: index != 2}, FOLDER, "not evenly spaced"),
    "uneven": ({"change": uneven}, FOLDER, "not evenly spaced"),
    "doubled": ({"change": doubled}, FOLDER, "several images at one place"),
    "shifted": ({"change": shifted}, "s/IM", "shifted against"),
    "tilt": ({"step": (0.0, 0.9, 3.0), "change": set_(GantryDetectorTilt_all=0)}, FOLDER, "tilted gantry"),
    "small_tilt": ({"step": (0.0, 0.02, 3.0)}, FOLDER, "tilted gantry"),
    "orientation": ({"change": set_(ImageOrientationPatient=[0, 1, 0, 0, 0, 1])}, FILE, "another orientation"),
    "rows": ({"change": set_(Rows=5, Columns=7)}, FILE, "pixels are not as many|another number of rows"),
    "pixel_size": ({"change": set_(PixelSpacing=[1.6, 0.8])}, FILE, "another pixel size"),
    "no_position": ({"change": set_(ImagePositionPatient=None)}, FILE, "where the slice lies"),
    "no_orientation": ({"change": set_(ImageOrientationPatient=None)}, FILE, "how the slice lies"),
    "no_spacing": ({"change": set_(PixelSpacing=None)}, FILE, "how large its pixels"),
    "spacing_zero": ({"change": set_(PixelSpacing=[0, 0])}, FILE, "0 or below"),
    "crooked": ({"change": set_(ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0])}, FILE, "right angles"),
    "no_rescale": ({"change": set_(RescaleSlope_all=None, RescaleIntercept_all=None)}, "s/IM", "without rescale"),
    "one_without_rescale": ({"change": set_(RescaleSlope=None, RescaleIntercept=None)}, FILE, "without rescale"),
    "density": ({"change": set_(RescaleType_all="ED")}, "s/IM", "not in HU"),
    "patients": ({"change": set_(PatientID="PID-2")}, FOLDER, "several patients"),
    "names": ({"change": set_(PatientName="ROE^RICHARD")}, FOLDER, "several patients"),
    "studies": ({"change": set_(StudyInstanceUID="1.2.3")}, FOLDER, "several studies"),
    "frames_of_reference": ({"change": set_(FrameOfReferenceUID="1.2.3")}, FOLDER, "several frames of reference"),
    "series": ({"change": set_(SeriesInstanceUID="1.2.3")}, FOLDER, "2 series in one folder"),
    "colour": ({"change": set_(PhotometricInterpretation="RGB", SamplesPerPixel=3)}, FILE, "colours"),
    "palette": ({"change": set_(PhotometricInterpretation="PALETTE COLOR")}, FILE, "colours"),
    "no_pixels": ({"change": set_(PixelData=None)}, FILE, "without pixels"),
    "short_pixels": ({"change": short}, FILE, "not as many"),
    "long_pixels": ({"change": long}, FILE, "not as many"),
    "bits": ({"change": set_(BitsStored=20)}, FILE, "nothing sensible"),
    "no_rows": ({"change": set_(Rows=0)}, FILE, "nothing sensible"),
    "frames": ({"change": set_(NumberOfFrames=2)}, FILE, "not as many|several frames"),
    "sign": ({"change": set_(PixelRepresentation=1)}, FILE, "another sign"),
    "high_bit": ({"change": set_(HighBit=15)}, FILE, "another place of its bits"),
    "all_scouts": (
        {"change": set_(ImageType_all=["ORIGINAL", "PRIMARY", "LOCALIZER"])},
        FOLDER,
        "no CT or MR image here",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_series_is_refused_by_file_or_folder_and_cause(tmp_path: Path, name: str) -> None:
    options, where, cause = REFUSED[name]
    folder = phantom.write(tmp_path / "s", **options)
    with pytest.raises(Medp2pError, match=rf"(?s)^{tmp_path}/{where}.*({cause}).*Fix: ") as caught:
        read_volume(folder)
    assert "\n" not in str(caught.value)
    assert not [secret for secret in (*phantom.SECRETS, "ROE^RICHARD", "PID-2") if secret in str(caught.value)]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.999])
def test_a_cut_slice_is_named_by_its_file(tmp_path: Path, share: float) -> None:
    path = phantom.write(tmp_path / "s") / "IM0003"
    content = path.read_bytes()
    path.write_bytes(content[: max(140, int(len(content) * share))])
    with pytest.raises(FileError, match="s/IM0003: "):
        read_volume(tmp_path / "s")


def test_copies_of_a_file_are_told_from_several_contrasts(tmp_path: Path) -> None:
    folder = phantom.write(tmp_path / "s")
    shutil.copy(folder / "IM0003", folder / "copy")
    with pytest.raises(GeometryError, match=r"several images at one place .*copies of files"):
        read_volume(folder)


def test_an_empty_slice_is_named_by_its_file(tmp_path: Path) -> None:
    (phantom.write(tmp_path / "s") / "IM0004").write_bytes(b"")
    with pytest.raises(FileError, match="s/IM0004: the file is empty"):
        read_volume(tmp_path / "s")


def test_a_file_named_dcm_that_is_none_is_refused(tmp_path: Path) -> None:
    (phantom.write(tmp_path / "s") / "IM9.dcm").write_bytes(b"text" * 100)
    with pytest.raises(FileError, match=r"IM9\.dcm: this is no DICOM file"):
        read_volume(tmp_path / "s")


def test_a_slice_that_is_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    folder = phantom.write(tmp_path / "s", keep=lambda index: index < 4)
    (folder / "IM9").symlink_to("../store/gone")
    with pytest.raises(FileError, match=r"s/IM9: a link to a file that is not there.*may lack this slice"):
        read_volume(folder)


def test_a_folder_without_images_says_so(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(FileError, match="s: no CT or MR image here"):
        read_volume(tmp_path / "s")


def test_above_the_series_the_folders_that_hold_some_are_named(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    (disc / "viewer").mkdir(parents=True)
    (disc / "viewer" / "start.exe").write_bytes(b"MZ" + bytes(500))
    (disc / "DICOMDIR").write_bytes(b"x" * 200)
    for name in ("SE1", "SE2"):
        phantom.write(disc / "ST0" / name)
    both = rf"Fix: give one of these: {disc}/ST0/SE1, {disc}/ST0/SE2$"
    with pytest.raises(FileError, match=rf"disc: no CT or MR image here .*{both}"):
        read_volume(disc)


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("own_header", [True, False])
def test_files_without_preamble_are_read(tmp_path: Path, implicit: bool, own_header: bool) -> None:
    folder = phantom.write(tmp_path / "s", syntax=ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)
    for path in folder.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[132:] if own_header else content[content.index(b"\x08\0\x05\0") :])
    assert np.array_equal(read_volume(folder).voxels, phantom.voxels())


@pytest.mark.parametrize(
    "content", [b"\x08\0\x70\0" + bytes(200), b"%PDF-1.4" + bytes(200), b"\x02\0\0\0", b"II*\0" * 50]
)
def test_a_file_that_only_resembles_one_without_preamble_is_passed_over(tmp_path: Path, content: bytes) -> None:
    folder = phantom.write(tmp_path / "s")
    (folder / "other").write_bytes(content)
    assert np.array_equal(read_volume(folder).voxels, phantom.voxels())


def test_a_deflated_or_video_syntax_is_refused(tmp_path: Path) -> None:
    folder = phantom.write(tmp_path / "s")
    content = (folder / "IM0000").read_bytes()
    (folder / "IM0000").write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0"))
    with pytest.raises(FileError, match="transfer syntax that is not read"):
        read_volume(folder)


def test_an_element_that_claims_gigabytes_is_refused_at_once(tmp_path: Path) -> None:
    folder = phantom.write(tmp_path / "s")
    content = (folder / "IM0000").read_bytes()
    claim = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 0xFFFFFF00)
    at = content.index(struct.pack("<HH", 0x0010, 0x0010))
    (folder / "IM0000").write_bytes(content[:at] + claim + content[at:])
    with pytest.raises(FileError, match=r"IM0000: the file is cut or damaged: element \(0009,1001\) claims more"):
        read_volume(folder)


def test_sequences_nested_without_end_are_refused(tmp_path: Path) -> None:
    folder = phantom.write(tmp_path / "s")
    content = (folder / "IM0000").read_bytes()
    one = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    at = content.index(struct.pack("<HH", 0x0010, 0x0010))
    (folder / "IM0000").write_bytes(content[:at] + one * 5000 + content[at:])
    with pytest.raises(FileError, match="sequences in sequences"):
        read_volume(folder)


def test_headers_longer_than_one_reading_are_read(tmp_path: Path) -> None:
    def long_header(one: Dataset, _: int) -> None:
        one.private_block(0x0011, "MEDP2P TEST").add_new(2, "OB", bytes(400_000))

    assert np.array_equal(read_volume(phantom.write(tmp_path / "s", change=long_header)).voxels, phantom.voxels())


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    read_series(phantom.write(tmp_path / "s"), progress=lambda *now: told.append(now))
    assert told[0] == (1, 5, "headers")
    assert told[-1] == (5, 5, "slices")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.integers(132, 1500), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_scrambled_file_is_read_or_refused(tmp_path: Path, damage: list[tuple[int, int]]) -> None:
    folder = tmp_path / "s"
    shutil.rmtree(folder, ignore_errors=True)
    path = phantom.write(folder) / "IM0003"
    content = bytearray(path.read_bytes())
    for position, value in damage:
        content[position % len(content)] = value
    path.write_bytes(content)
    try:
        said = repr(read_volume(folder))
    except Medp2pError as error:
        said = str(error)
    assert "\n" not in said
    assert not [secret for secret in phantom.SECRETS if secret in said]


def test_a_header_names_no_value_when_it_is_shown(tmp_path: Path) -> None:
    path = phantom.write(tmp_path / "s") / "IM0000"
    with open_regular(path) as file:
        header = read_dicom_header(path, file, path.stat().st_size)
    assert not [secret for secret in phantom.SECRETS if secret in repr(header)]


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
@pytest.mark.parametrize("dtype", ["i2", "u2", "u1"])
def test_jpeg_of_signed_and_unsigned_numbers_is_read_exactly(tmp_path: Path, compressor: str, dtype: str) -> None:
    limits = np.iinfo(dtype)
    pixels = np.random.default_rng(0).integers(limits.min, limits.max + 1, (40, 30)).astype(dtype)
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(tmp_path / "c.dcm")
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.Execute(sitk.GetImageFromArray(pixels))
    compressed = pydicom.dcmread(tmp_path / "c.dcm")

    def put(one: Dataset, _: int) -> None:
        for name in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
            setattr(one, name, getattr(compressed, name))
        one["PixelData"] = compressed["PixelData"]
        one["PixelData"].is_undefined_length = True

    syntax = compressed.file_meta.TransferSyntaxUID
    folder = phantom.write(tmp_path / "s", modality="MR", change=put, syntax=syntax)
    voxels = read_volume(folder).voxels
    assert voxels.dtype == np.dtype(dtype)
    assert all(np.array_equal(voxels[:, :, index].T, pixels) for index in range(5))


def test_a_frame_that_claims_another_size_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    def claim(one: Dataset, _: int) -> None:
        siz = b"\xff\x4f\xff\x51" + struct.pack(">HHIIIIIIII", 47, 0, 0xFFFFFFF0, 0xFFFFFFF0, 0, 0, 64, 64, 0, 0)
        one["PixelData"].value = pydicom.encaps.encapsulate([siz + bytes(100)])
        one["PixelData"].is_undefined_length = True

    folder = phantom.write(tmp_path / "s", change=claim, syntax="1.2.840.10008.1.2.4.90")
    with pytest.raises(FileError, match=r"s/IM.*compressed frame of another size"):
        read_volume(folder)
