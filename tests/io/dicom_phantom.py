"""A small DICOM series written by pydicom, full of identifying strings, for tests to damage."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SECRETS = (
    "DOE^JANE", "PID-4711", "19470911", "ACC-0815", "Hospital Secret", "Dr^Referrer", "Op^Erator", "STATION-9",
    "SERIAL-123", "Lives alone in Basel", "OTHER-ID-5", "PRIVATE-SECRET", "Baker Street 221b",
)  # fmt: skip
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
CR = "1.2.840.10008.5.1.4.1.1.1"
Change = Callable[[Dataset, int], None]


def voxels(shape: tuple[int, int, int] = (7, 6, 5), modality: str = "CT") -> np.ndarray:
    """Unmistakable values, (columns, rows, slices): HU for CT, else 0 to 2000."""
    values = (np.arange(np.prod(shape)).reshape(shape) * 37) % 2000
    return (values - 1000 if modality == "CT" else values).astype(np.int16)


def write(
    folder: Path,
    *,
    modality: str = "CT",
    values: np.ndarray | None = None,
    row: tuple[float, float, float] = (1, 0, 0),
    column: tuple[float, float, float] = (0, 1, 0),
    spacing: tuple[float, float, float] = (0.8, 1.5, 3.0),
    origin: tuple[float, float, float] = (-90.5, -120.25, 33.0),
    step: tuple[float, float, float] | None = None,
    change: Change | None = None,
    keep: Callable[[int], bool] = lambda index: True,
    syntax: str = ExplicitVRLittleEndian,
) -> Path:
    """A series, a file a slice; `spacing` of columns, rows, slices; `change` sees each data set before it is saved."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = voxels(modality=modality) if values is None else values
    along = np.array(np.cross(row, column) * spacing[2] if step is None else step)
    study, series, frame = (generate_uid(prefix=None) for _ in range(3))
    for index in range(stack.shape[2]):
        one = _slice(modality, stack[:, :, index].T)
        one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = study, series, frame
        one.ImagePositionPatient = [float(f"{v:.6f}") for v in np.array(origin) + index * along]
        one.ImageOrientationPatient = [*map(float, row), *map(float, column)]
        one.PixelSpacing = [spacing[1], spacing[0]]
        one.InstanceNumber = index + 1
        if change is not None:
            change(one, index)
        if keep(index):
            save(one, folder / f"IM{(index * 7) % stack.shape[2]:04d}", syntax)
    return folder


def save(one: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    one.file_meta = FileMetaDataset()
    one.file_meta.MediaStorageSOPClassUID, one.file_meta.MediaStorageSOPInstanceUID = (
        one.SOPClassUID,
        one.SOPInstanceUID or generate_uid(prefix=None),
    )
    one.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, one, enforce_file_format=True)


def _slice(modality: str, pixels: np.ndarray) -> Dataset:
    one = Dataset()
    one.SpecificCharacterSet = "ISO_IR 100"
    one.SOPClassUID, one.SOPInstanceUID = (CT if modality == "CT" else MR), generate_uid(prefix=None)
    one.Modality, one.ImageType = modality, ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.PatientName, one.PatientID, one.PatientBirthDate, one.PatientSex = SECRETS[0], SECRETS[1], SECRETS[2], "F"
    one.AccessionNumber, one.InstitutionName, one.ReferringPhysicianName = SECRETS[3:6]
    one.OperatorsName, one.StationName, one.DeviceSerialNumber, one.ImageComments = SECRETS[6:10]
    one.StudyDate, one.StudyTime, one.StudyID, one.SeriesNumber = "20240229", "101500", "S1", 4
    one.PatientPosition, one.BodyPartExamined, one.SliceThickness = "HFS", "HEAD", 3
    inner = Dataset()
    inner.PatientID = SECRETS[10]
    one.OtherPatientIDsSequence = [inner]
    one.private_block(0x0011, "MEDP2P TEST", create=True).add_new(1, "LO", SECRETS[11])
    one.PatientAddress = SECRETS[12]
    one.WindowCenter, one.WindowWidth = 40, 400
    one.Rows, one.Columns = pixels.shape
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit = 16, 12, 11
    if modality == "CT":
        one.PixelRepresentation, one.RescaleSlope, one.RescaleIntercept, one.RescaleType = 0, 1, -1024, "HU"
        one.KVP = 120
        stored = (pixels + 1024).astype("<u2")
    else:
        one.PixelRepresentation = 0
        one.ScanningSequence, one.SequenceVariant, one.ScanOptions, one.MRAcquisitionType = "SE", "NONE", "", "2D"
        one.EchoTime, one.RepetitionTime, one.EchoTrainLength = 10, 500, 1
        stored = pixels.astype("<u2")
    one.add_new(0x7FE00010, "OW", stored.tobytes())
    return one


def radiograph(path: Path, numbers: np.ndarray, *, sop_class: str = CR, stored: int = 12, **more: object) -> Path:
    """A single radiograph; `more` are further elements by their keywords."""
    one = Dataset()
    one.SOPClassUID, one.SOPInstanceUID = sop_class, "2.25.77"
    one.Rows, one.Columns = numbers.shape
    one.BitsAllocated, one.BitsStored, one.HighBit = numbers.itemsize * 8, stored, stored - 1
    one.SamplesPerPixel, one.PixelRepresentation, one.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    one.PixelData = numbers.tobytes()
    for name, value in more.items():
        setattr(one, name, value)
    save(one, path)
    return path
