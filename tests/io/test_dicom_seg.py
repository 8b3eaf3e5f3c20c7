"""Regions as a DICOM segmentation: the same voxels at the same places of the patient, and nobody's name."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from medp2p.errors import ConfigError, FileError, GeometryError, OutputExistsError, RegionError
from medp2p.io import read_volume
from medp2p.io.dicom_seg import write_segmentation
from medp2p.io.dicom_write import write_series
from medp2p.regions import Regions

from . import dicom_phantom as phantom
from .test_dicom_read import enhanced

hd = pytest.importorskip("highdicom", reason="highdicom is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:.*private.*")
NAMES = {1: "bone", 2: "left_lung"}


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return phantom.write(tmp_path / "s", modality="MR", row=(0, 1, 0), column=(0, 0, -1))


def drawn_on(series: Path) -> Regions:
    """Two regions that overlap nowhere, and a third that overlaps both."""
    volume = read_volume(series)
    labels = np.zeros(volume.shape, np.uint8)
    labels[1:3, 2:5, 1:4], labels[4, 0, 2] = 1, 2
    over = np.zeros(volume.shape, np.uint8)
    over[2:5, 0:3, 2] = 1
    return Regions.combine(
        Regions(labels, volume.affine, NAMES), Regions(over, volume.affine, {1: "lesion"}, groups={"all": ["lesion"]})
    )


def test_every_region_comes_back_at_its_place(series, tmp_path) -> None:
    regions = drawn_on(series)
    write_segmentation(regions, series, tmp_path / "seg.dcm", algorithm="thresholds")
    made = hd.seg.segread(tmp_path / "seg.dcm")
    assert [one.segment_label for one in map(made.get_segment_description, (1, 2, 3))] == [
        "bone",
        "left_lung",
        "lesion",
    ]
    files = {pydicom.dcmread(path).SOPInstanceUID: path for path in series.iterdir()}
    uids = sorted(files, key=lambda uid: pydicom.dcmread(files[uid]).InstanceNumber)
    masks = made.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True, combine_segments=False)
    for number, name in enumerate(("bone", "left_lung", "lesion")):
        assert np.array_equal(masks[..., number].astype(bool), regions.mask(name).T)
    volume = made.get_volume(segment_numbers=[2], combine_segments=True)
    ours = read_volume(series)
    place = np.argwhere(np.asarray(volume.array) > 0)[0]
    where_lps = np.asarray(volume.affine) @ [*place, 1.0]
    assert np.allclose(where_lps[:3] * [-1, -1, 1], (ours.affine @ [4, 0, 2, 1.0])[:3], atol=1e-3)


def test_it_lies_in_the_study_and_frame_of_the_series_and_names_nobody_unless_asked(series, tmp_path) -> None:
    source = pydicom.dcmread(next(series.iterdir()))
    write_segmentation(drawn_on(series), series, tmp_path / "seg.dcm")
    made = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (made.StudyInstanceUID, made.FrameOfReferenceUID) == (source.StudyInstanceUID, source.FrameOfReferenceUID)
    assert made.preamble == bytes(128)
    assert [secret for secret in phantom.SECRETS if secret.encode() in (tmp_path / "seg.dcm").read_bytes()] == []
    write_series(read_volume(series), series, tmp_path / "o", model_sha256="0" * 64, hu=True)
    assert pydicom.dcmread(tmp_path / "o" / "0001.dcm").PatientID == made.PatientID
    write_segmentation(drawn_on(series), series, tmp_path / "seg.dcm", keep_identity=True, overwrite=True)
    assert pydicom.dcmread(tmp_path / "seg.dcm").PatientID == source.PatientID


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools are not installed")
@pytest.mark.parametrize("keep_identity", [True, False])
def test_dciodvfy_finds_no_error(series, tmp_path, keep_identity) -> None:
    write_segmentation(drawn_on(series), series, tmp_path / "seg.dcm", algorithm="a", keep_identity=keep_identity)
    said = subprocess.run(["dciodvfy", tmp_path / "seg.dcm"], capture_output=True, text=True, check=False).stderr
    assert "Error" not in said


@pytest.fixture
def multi_frame(tmp_path: Path) -> Path:
    """One enhanced MR object whose frames do not lie in the order of their places."""

    def complete(one: Dataset) -> None:
        one.FrameOfReferenceUID = "1.2.3.4.5"

    return enhanced(tmp_path / "mr.dcm", change=complete)


def test_regions_on_a_multi_frame_object_refer_to_its_frames(multi_frame, tmp_path) -> None:
    regions, source = drawn_on(multi_frame), pydicom.dcmread(multi_frame)
    write_segmentation(regions, multi_frame, tmp_path / "seg.dcm", algorithm="thresholds")
    made = hd.seg.segread(tmp_path / "seg.dcm")
    heights = [
        group.PlanePositionSequence[0].ImagePositionPatient[2] for group in source.PerFrameFunctionalGroupsSequence
    ]
    masks = made.get_pixels_by_source_frame(
        source.SOPInstanceUID,
        [int(number) + 1 for number in np.argsort(heights)],
        assert_missing_frames_are_empty=True,
        combine_segments=False,
    )
    for number, name in enumerate(("bone", "left_lung", "lesion")):
        assert np.array_equal(masks[..., number].astype(bool), regions.mask(name).T)
    for frame in made.PerFrameFunctionalGroupsSequence:
        (referred,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert frame.PlanePositionSequence[0].ImagePositionPatient[2] == heights[referred.ReferencedFrameNumber - 1]
    assert [secret for secret in phantom.SECRETS if secret.encode() in (tmp_path / "seg.dcm").read_bytes()] == []


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools are not installed")
def test_dciodvfy_finds_no_error_in_one_that_refers_to_frames(multi_frame, tmp_path) -> None:
    write_segmentation(drawn_on(multi_frame), multi_frame, tmp_path / "seg.dcm", keep_identity=True)
    said = subprocess.run(["dciodvfy", tmp_path / "seg.dcm"], capture_output=True, text=True, check=False).stderr
    assert "Error" not in said


def test_a_series_of_several_multi_frame_objects_is_refused(multi_frame, tmp_path) -> None:
    def upper(one: Dataset) -> None:
        first = pydicom.dcmread(multi_frame)
        for tag in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            setattr(one, tag, getattr(first, tag))
        for group in one.PerFrameFunctionalGroupsSequence:
            group.PlanePositionSequence[0].ImagePositionPatient[2] += 15

    enhanced(tmp_path / "upper.dcm", change=upper)
    with pytest.raises(FileError, match=r"\.dcm: .*cannot refer to .*2 multi-frame objects.*one multi-frame object"):
        write_segmentation(drawn_on(tmp_path), tmp_path, tmp_path / "seg.dcm")


def called(series: Path, *names: str) -> Regions:
    """The first two regions under other names."""
    drawn = drawn_on(series)
    return Regions(drawn.layers[0].labels, drawn.affine, dict(enumerate(names, 1)))


@pytest.mark.parametrize("keep_identity", [True, False])
def test_names_of_regions_in_any_letters_come_back(series, tmp_path, keep_identity) -> None:
    write_segmentation(called(series, "Schädel", "脑"), series, tmp_path / "seg.dcm", keep_identity=keep_identity)
    made = pydicom.dcmread(tmp_path / "seg.dcm")
    assert [one.SegmentLabel for one in made.SegmentSequence] == ["Schädel", "脑"]
    assert made.SpecificCharacterSet == "ISO_IR 192"


@pytest.mark.parametrize(
    ("names", "cause"), [(("bone\\left", "b"), "backslash"), (("a" * 65, "a" * 64 + "b"), "first 64 letters are one")]
)
def test_names_that_no_segment_can_have_are_refused(series, tmp_path, names, cause) -> None:
    with pytest.raises(RegionError, match=cause):
        write_segmentation(called(series, *names), series, tmp_path / "seg.dcm")


def test_a_patients_name_in_other_letters_is_handed_on_and_never_told(tmp_path, recwarn) -> None:
    def cyrillic(one: Dataset, _: int) -> None:
        one.SpecificCharacterSet, one.PatientName = "ISO_IR 144", "Люксембург"

    series = phantom.write(tmp_path / "s", modality="MR", change=cyrillic)
    with pytest.raises(RegionError, match="letters that the character set of the series may lack"):
        write_segmentation(called(series, "Schädel", "b"), series, tmp_path / "seg.dcm", keep_identity=True)
    write_segmentation(called(series, "a", "b"), series, tmp_path / "seg.dcm", keep_identity=True)
    assert pydicom.dcmread(tmp_path / "seg.dcm").PatientName == "Люксембург"
    assert [str(each.message) for each in recwarn if "name" in str(each.message)] == []


def test_what_cannot_be_told_truly_is_refused(series, tmp_path) -> None:
    regions = drawn_on(series)
    moved = regions.affine.copy()
    moved[0, 3] += 0.01
    with pytest.raises(GeometryError, match=r"s: the regions do not lie on the grid of this series .* 0\.01 mm apart"):
        write_segmentation(Regions(regions.layers[0].labels, moved, NAMES), series, tmp_path / "x.dcm")
    with pytest.raises(RegionError, match="no region"):
        write_segmentation(Regions(np.zeros(regions.shape, int), regions.affine, {}), series, tmp_path / "x.dcm")

    def blank(one: Dataset, _: int) -> None:
        one.SeriesInstanceUID = ""

    other = phantom.write(tmp_path / "b", modality="MR", row=(0, 1, 0), column=(0, 0, -1), change=blank)
    with pytest.raises(FileError, match=r"b/IM.*cannot refer to.*blank UIDs"):
        write_segmentation(drawn_on(other), other, tmp_path / "x.dcm")
    (tmp_path / "x.dcm").write_text("mine")
    with pytest.raises(OutputExistsError):
        write_segmentation(regions, series, tmp_path / "x.dcm")


@pytest.mark.parametrize("name", ["", " ", "a" * 65, "a\\b", "Äste", "a\nb"])
def test_a_name_of_an_algorithm_that_dicom_cannot_hold_is_refused(series, tmp_path, name: str) -> None:
    with pytest.raises(ConfigError, match="algorithm: a name that DICOM cannot hold"):
        write_segmentation(drawn_on(series), series, tmp_path / "seg.dcm", algorithm=name)
    assert not (tmp_path / "seg.dcm").exists()
