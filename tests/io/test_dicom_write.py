"""Derived DICOM series: geometrically the patient, never to be taken for an acquired scan, and valid."""

import errno
import logging
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from medp2p.errors import FileError, GeometryError, OutputExistsError
from medp2p.io import read_volume
from medp2p.io.dicom_write import write_series
from medp2p.volume import Volume

from . import dicom_phantom as phantom

ROTATION = nib.eulerangles.euler2mat(0.2, -0.1, 0.3)
MODEL = "ab" * 32


def derived(source: Path, output: Path, *, hu: bool = True, **options: object) -> list[Dataset]:
    volume = read_volume(source)
    values = volume.voxels.astype(np.float32) + (0.25 if hu else 0.0)
    write_series(volume.with_voxels(values), source, output, model_sha256=MODEL, hu=hu, **options)
    return [pydicom.dcmread(path) for path in sorted(output.iterdir())]


def test_grid_and_hu_come_back_in_every_reader(tmp_path: Path) -> None:
    for number, (row, column) in enumerate(((0, 1), (1, 2), (2, 0), (1, 0))):
        source = phantom.write(tmp_path / f"s{number}", row=tuple(ROTATION[:, row]), column=tuple(-ROTATION[:, column]))
        derived(source, tmp_path / f"o{number}")
        ours, original = read_volume(tmp_path / f"o{number}"), read_volume(source)
        assert ours.same_grid(original)
        assert np.array_equal(ours.voxels, original.voxels)
        assert ours.voxels.dtype == np.int16
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / f"o{number}")))
        theirs = Volume.from_sitk(reader.Execute())
        assert theirs.same_grid(original)
        assert np.array_equal(theirs.voxels, original.voxels)


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix is not installed")
def test_dcm2niix_sees_the_same_patient(tmp_path: Path) -> None:
    source = phantom.write(
        tmp_path / "s", row=tuple(ROTATION[:, 0]), column=tuple(ROTATION[:, 1]), values=phantom.voxels((20, 18, 9))
    )
    derived(source, tmp_path / "o")
    subprocess.run(["dcm2niix", "-f", "x", "-o", tmp_path, tmp_path / "o"], check=True, capture_output=True)
    theirs, ours = (nib.as_closest_canonical(read_volume(p).to_nibabel()) for p in (tmp_path / "x.nii", source))
    assert np.array_equal(theirs.dataobj, ours.dataobj)
    assert np.allclose(theirs.affine, ours.affine, atol=1e-4)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools are not installed")
@pytest.mark.parametrize("hu", [True, False])
@pytest.mark.parametrize("keep_identity", [True, False])
@pytest.mark.parametrize("source", ["whole", "blank", "bare"])
def test_dciodvfy_finds_no_error(tmp_path: Path, hu: bool, keep_identity: bool, source: str) -> None:
    def blanked(one: Dataset, _: int) -> None:
        one.StudyInstanceUID = one.SeriesInstanceUID = one.FrameOfReferenceUID = one.PatientID = ""
        one.SOPInstanceUID = ""
        del one.BodyPartExamined

    def bare(one: Dataset, _: int) -> None:
        """Nothing but what says pixels and grid, and how the patient lay, which is never invented."""
        for element in list(one):
            if element.tag.group < 0x0020 and element.keyword not in (
                "SOPClassUID",
                "SOPInstanceUID",
                "PatientPosition",
            ):
                del one[element.tag]
        del one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID, one.InstanceNumber, one.StudyID
        one.PixelSpacing = [1.5, 0.8]

    def unchanged(_: Dataset, __: int) -> None:
        pass

    change = {"whole": unchanged, "blank": blanked, "bare": bare}[source]
    folder = phantom.write(tmp_path / "s", modality="MR", change=change)
    derived(folder, tmp_path / "o", hu=hu, keep_identity=keep_identity)
    assert errors_of(tmp_path / "o") == []


def errors_of(folder: Path) -> list[str]:
    """What dciodvfy calls an error."""
    said = [
        subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
        for path in sorted(folder.iterdir())
    ]
    return [line for text in said for line in text.splitlines() if "Error" in line]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools are not installed")
@pytest.mark.parametrize(("part", "side"), [("KNEE", "L"), ("KNEE", ""), ("PARTIALBODY", ""), ("PROSTATE", "")])
def test_a_side_is_said_of_what_there_is_twice_and_of_words_that_nobody_knows(
    tmp_path: Path, part: str, side: str
) -> None:
    def there(one: Dataset, _: int) -> None:
        one.BodyPartExamined, one.Laterality = part, side

    first = derived(phantom.write(tmp_path / "s", change=there, values=phantom.voxels((7, 6, 2))), tmp_path / "o")[0]
    assert (first.BodyPartExamined, first.get("Laterality", "")) == (part, side)
    assert errors_of(tmp_path / "o") == []


def test_the_series_says_what_it_is(tmp_path: Path) -> None:
    source = phantom.write(tmp_path / "s", modality="MR")
    original = pydicom.dcmread(source / "IM0000")
    slices = derived(source, tmp_path / "o")
    assert len({one.SOPInstanceUID for one in slices}) == 5
    assert len({one.SeriesInstanceUID for one in slices}) == 1
    assert slices[0].SeriesInstanceUID != original.SeriesInstanceUID
    for number, one in enumerate(slices):
        assert one.SOPClassUID == one.file_meta.MediaStorageSOPClassUID == phantom.CT
        assert one.preamble == bytes(128)
        assert (one.Modality, list(one.ImageType)[:2]) == ("CT", ["DERIVED", "SECONDARY"])
        assert one.SeriesDescription == "SYNTHETIC CT - not acquired"
        assert MODEL in one.DerivationDescription
        assert one.DerivationCodeSequence[0].CodeValue
        assert one.StudyInstanceUID == original.StudyInstanceUID
        assert one.FrameOfReferenceUID == original.FrameOfReferenceUID
        assert (one.PatientPosition, one.BodyPartExamined) == ("HFS", "HEAD")
        assert (one.RescaleSlope, one.RescaleIntercept, one.RescaleType, one.BitsStored) == (1, 0, "HU", 16)
        assert not [element for element in one if element.tag.is_private]
        assert "WindowCenter" not in one
        assert one.InstanceNumber == number + 1
    references = {one.SourceImageSequence[0].ReferencedSOPInstanceUID for one in slices}
    assert references == {pydicom.dcmread(path).SOPInstanceUID for path in source.iterdir()}
    gaps = np.diff([[float(v) for v in one.ImagePositionPatient] for one in slices], axis=0)
    assert np.allclose(gaps, gaps[0], atol=1e-3)
    assert all(len(str(v)) <= 16 for one in slices for v in one["ImagePositionPatient"].value)


def test_nothing_identifying_is_handed_on_unless_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = phantom.write(tmp_path / "s")
    with caplog.at_level(logging.DEBUG):
        slices = derived(source, tmp_path / "o")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "o").iterdir())
    for secret in (*phantom.SECRETS, "20240229", "JANE", "101500"):
        assert secret.encode() not in everything
        assert secret not in caplog.text
    assert slices[0].PatientIdentityRemoved == "YES"
    assert str(slices[0].PatientName).startswith("SYN")
    original = pydicom.dcmread(source / "IM0000")
    kept = derived(source, tmp_path / "k", keep_identity=True)[0]
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyDate"):
        assert kept[name].value == original[name].value
    assert "PatientIdentityRemoved" not in kept
    everything = b"".join(path.read_bytes() for path in (tmp_path / "k").iterdir())
    for secret in (*phantom.SECRETS[6:10], *phantom.SECRETS[11:]):
        assert secret.encode() not in everything


def test_names_in_any_character_set_are_copied_as_bytes(tmp_path: Path) -> None:
    source = phantom.write(tmp_path / "s", modality="MR")
    raw = "Müller^Jörg".encode("latin-1")
    for path in source.iterdir():
        content = path.read_bytes()
        assert content.count(b"DOE^JANE") == 1
        path.write_bytes(content.replace(b"\x08\x00DOE^JANE", b"\x0c\x00" + raw + b" "))
    derived(source, tmp_path / "o", keep_identity=True)
    assert raw in next((tmp_path / "o").iterdir()).read_bytes()


def test_a_pseudonym_is_the_same_for_all_series_of_a_patient(tmp_path: Path) -> None:
    def other(one: Dataset, _: int) -> None:
        one.PatientID = "PID-2"

    first = derived(phantom.write(tmp_path / "a"), tmp_path / "oa")[0]
    second = derived(phantom.write(tmp_path / "b", modality="MR"), tmp_path / "ob")[0]
    third = derived(phantom.write(tmp_path / "c", change=other), tmp_path / "oc")[0]
    assert first.PatientID == second.PatientID != third.PatientID


def test_the_history_of_lossy_compression_is_complete_and_extremes_are_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def lossy(one: Dataset, _: int) -> None:
        one.LossyImageCompression, one.LossyImageCompressionRatio = "01", [10.5, 3]
        one.LossyImageCompressionMethod = ["ISO_10918_1", "ISO_15444_1"]
        one.BurnedInAnnotation = "YES"
        one.SmallestImagePixelValue, one.LargestImagePixelValue = 0, 9
        one.add_new(0x60003000, "OW", b"\1\2")
        one.IconImageSequence = Sequence([Dataset()])
        del one.PatientPosition

    one = derived(phantom.write(tmp_path / "s", change=lossy), tmp_path / "o")[0]
    assert list(one.LossyImageCompressionRatio) == [10.5, 3]
    assert list(one.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_15444_1"]
    assert one.BurnedInAnnotation == "YES"
    assert "burned into" in caplog.text
    for name in ("SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence", "PatientPosition"):
        assert name not in one
    assert 0x60003000 not in one


def test_values_that_are_no_hu_come_back_within_their_rounding(tmp_path: Path) -> None:
    source = phantom.write(tmp_path / "s", modality="MR")
    derived(source, tmp_path / "o", hu=False)
    assert pydicom.dcmread(tmp_path / "o" / "0001.dcm").SOPClassUID == phantom.MR
    assert np.abs(read_volume(tmp_path / "o").voxels - read_volume(source).voxels).max() <= 2000 / 65535


def test_another_grid_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    source = phantom.write(tmp_path / "s")
    volume = read_volume(source)
    moved = volume.affine.copy()
    moved[0, 3] += 0.01
    for wrong in (Volume(volume.voxels[1:], volume.affine), Volume(volume.voxels, moved)):
        with pytest.raises(GeometryError, match="s: the volume does not lie on the grid"):
            write_series(wrong, source, tmp_path / "o", model_sha256=MODEL, hu=True)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_a_folder_is_replaced_only_when_asked(tmp_path: Path) -> None:
    source = phantom.write(tmp_path / "s")
    derived(source, tmp_path / "o")
    with pytest.raises(OutputExistsError):
        derived(source, tmp_path / "o")
    assert len(derived(source, tmp_path / "o", overwrite=True)) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o", "s"]


def test_a_failure_in_the_middle_leaves_no_folder(tmp_path: Path) -> None:
    source = phantom.write(tmp_path / "s")

    def stop(done: int, total: int, what: str) -> None:
        if what == "slices written" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        derived(source, tmp_path / "o", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_an_unknown_character_set_is_one_warning_and_no_obstacle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = phantom.write(tmp_path / "s")
    for path in source.iterdir():
        path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", b"ISO_IR 999"))
    write_series(read_volume(source), source, tmp_path / "o", model_sha256=MODEL, hu=True, keep_identity=True)
    assert caplog.text.count("character set") == 1
    assert b"ISO_IR 999" in (tmp_path / "o" / "0001.dcm").read_bytes()
    assert b"DOE^JANE" in (tmp_path / "o" / "0001.dcm").read_bytes()


def test_a_disk_that_runs_full_is_named_by_the_folder_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = phantom.write(tmp_path / "s")
    volume, write_bytes = read_volume(source), Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "0003.dcm":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match=r"/o: cannot be written: no space left") as caught:
        write_series(volume, source, tmp_path / "o", model_sha256=MODEL, hu=True)
    assert caught.value.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
