"""A predicted volume to a DICOM series that is geometrically the patient and cannot be taken for an acquired scan."""

import logging
import os
import re
from collections.abc import Callable
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds

from medp2p.errors import FileError
from medp2p.io.atomic import atomic_folder
from medp2p.io.dicom_elements import LOSSY, DicomHeader
from medp2p.io.dicom_frames import Frame, read_header
from medp2p.io.dicom_identity import Identity, code, put_uid
from medp2p.io.dicom_series import Series, find_series
from medp2p.io.dicom_walk import PIXEL_DATA
from medp2p.io.machine import as_file_error
from medp2p.io.names import is_written_slice
from medp2p.io.text_header import LPS_TO_RAS
from medp2p.volume import Volume

logger = logging.getLogger(__name__)
PathLike = str | os.PathLike[str]
Progress = Callable[[int, int, str], object]

_CT_IMAGE, _MR_IMAGE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
_UNPAIRED = {
    "ABDOMEN", "ABDOMENPELVIS", "AORTA", "BACK", "BLADDER", "BRAIN", "CEREBELLUM", "CERVIX", "CHEST", "CHESTABDOMEN",
    "CHESTABDPELVIS", "COCCYX", "COLON", "CSPINE", "CTSPINE", "DUODENUM", "ESOPHAGUS", "FACE", "GALLBLADDER", "HEAD",
    "HEADNECK", "HEART", "ILEUM", "JAW", "JEJUNUM", "LARYNX", "LIVER", "LSPINE", "LSSPINE", "MEDIASTINUM", "MAXILLA",
    "MOUTH", "NECK", "NECKCHEST", "NECKCHESTABDOMEN", "NECKCHESTABDPELV", "NOSE", "PANCREAS", "PELVIS", "PENIS",
    "PHARYNX", "PROSTATE", "RECTUM", "SKULL", "SPINE", "SPLEEN", "SSPINE", "STERNUM", "STOMACH", "THYMUS", "THYROID",
    "TLSPINE", "TONGUE", "TRACHEA", "TSPINE", "URETHRA", "UTERUS", "VAGINA", "WHOLEBODY",
}  # fmt: skip
"""Parts of the body that are there once (PS3.16 Annex L); of any other word a side must be said, if only as unknown."""
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_LOSSY_METHODS = {"50": "ISO_10918_1", "51": "ISO_10918_1", "81": "ISO_14495_1", "91": "ISO_15444_1"}


def write_series(
    volume: Volume,
    source: PathLike,
    output: PathLike,
    *,
    model_sha256: str,
    hu: bool,
    series: str | None = None,
    keep_identity: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a volume as a series derived from the one it was predicted from, as a whole folder or not at all.

    Args:
        volume: On the grid of the source series.
        source: The folder (or file) of that series.
        output: The folder to make.
        model_sha256: Hash of the weights that made it.
        hu: Whether its values are HU: then CT images, whole numbers; else MR images with a rescale.
        series: SeriesInstanceUID of the source, where its folder holds several.
        keep_identity: Hand on patient and study as they are; otherwise a pseudonym, the same for all series of one
            patient that this process writes.
        overwrite: Replace a folder that holds nothing but DICOM files.
        progress: Called with (done, total, what).

    Raises:
        GeometryError: The volume lies on another grid than the source.
        OutputExistsError: The folder is not empty and `overwrite` is not given, or it holds files of others.
        FileError: The source is refused, or the folder cannot be written.
    """
    found = find_series(source, series=series, again=True)
    found.refuse_other_grid(volume)
    head = read_header(found.frames[0].file.path)
    if head is None:
        raise FileError(found.frames[0].file.path, "the file changed while it was read", fix="try again")
    if head.elements.word(0x00280301) == "YES":
        logger.warning("the DICOM source has annotations burned into its pixels")
    identity = Identity.of(head, keep=keep_identity)
    base = _base(found, head, identity, model_sha256, hu=hu)
    stored = _stored(volume.voxels, base, hu=hu)
    digits = max(4, len(str(len(found.frames))))
    with atomic_folder(output, overwrite=overwrite, replaces=is_written_slice) as folder:
        for index, frame in enumerate(found.frames):
            _turn_into(base, found, frame, index)
            pixels = np.ascontiguousarray(stored[:, :, index].T, stored.dtype.newbyteorder("<"))
            base.add_new(PIXEL_DATA, "OW", pixels.tobytes())
            content = BytesIO()
            base.save_as(content, enforce_file_format=True)
            with as_file_error(output):
                (folder / f"{index + 1:0{digits}d}.dcm").write_bytes(identity.with_character_set(content.getvalue()))
            if progress is not None:
                progress(index + 1, len(found.frames), "slices written")


def _base(found: Series, head: DicomHeader, identity: Identity, model_sha256: str, *, hu: bool) -> Dataset:
    """What all slices share."""
    kind = "CT" if hu else "MR"
    elements = head.elements
    base = Dataset()
    identity.put_into(base)
    base.SOPClassUID = _CT_IMAGE if hu else _MR_IMAGE
    base.Modality = kind
    base.ImageType = ["DERIVED", "SECONDARY", "AXIAL" if hu else "OTHER"]
    base.SeriesInstanceUID = generate_uid(prefix=None)
    base.SeriesNumber = _number(elements.word(0x00200011)) + 1000
    base.SeriesDescription = f"SYNTHETIC {kind} - not acquired"
    put_uid(base, 0x00200052, elements.uid(0x00200052) or generate_uid(prefix=None))
    base.PositionReferenceIndicator = ""
    base.Manufacturer = base.ManufacturerModelName = "medp2p"
    base.SoftwareVersions = version("medp2p")
    base.DerivationDescription = (
        f"Synthetic {kind} computed by a neural network from other images; not acquired. Research use only. "
        f"medp2p {version('medp2p')}, model SHA-256 {model_sha256}"
    )
    base.DerivationCodeSequence = [code("SYNTHETIC", "99MEDP2P", "Synthetic image by a neural network")]
    base.AcquisitionNumber = None
    for tag, vr in ((0x00185100, "CS"), (0x00180015, "CS")):  # PatientPosition, BodyPartExamined
        word = elements.word(tag).upper()
        if _CODE.fullmatch(word):
            base.add_new(tag, vr, word)
    if base.get("BodyPartExamined") not in _UNPAIRED:  # PS3.3 C.7.3.1
        side = elements.word(0x00200060)
        base.Laterality = side if side in ("L", "R") else ""
    if elements.word(0x00280301) == "YES":
        base.BurnedInAnnotation = "YES"
    if identity.pseudonym:
        base.RecognizableVisualFeatures = "YES"
    _put_compression(base, found, head)
    _put_grid(base, found)
    _put_kind(base, hu=hu)
    return base


def _put_grid(base: Dataset, found: Series) -> None:
    lps = LPS_TO_RAS @ found.affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    directions = lps[:3, :2] / sizes[:2]
    base.ImageOrientationPatient = [decimal_string(value) for value in directions.T.ravel()]
    base.PixelSpacing = [decimal_string(sizes[1]), decimal_string(sizes[0])]
    thickness = found.frames[0].thickness
    base.SliceThickness = decimal_string(sizes[2] if thickness is None else thickness)
    base.Columns, base.Rows = found.shape[0], found.shape[1]
    base.SamplesPerPixel, base.PhotometricInterpretation = 1, "MONOCHROME2"


def _put_kind(base: Dataset, *, hu: bool) -> None:
    """The modules of a CT or MR image; nothing is claimed of an acquisition that never was."""
    base.BitsAllocated = base.BitsStored = 16
    base.HighBit = 15
    base.PixelRepresentation = 1 if hu else 0
    base.RescaleSlope, base.RescaleIntercept, base.RescaleType = "1", "0", "HU" if hu else "US"
    if hu:
        base.KVP = None
        return
    base.ScanningSequence, base.SequenceVariant = "RM", "NONE"
    base.ScanOptions = base.MRAcquisitionType = ""
    base.EchoTime = base.EchoTrainLength = base.RepetitionTime = None


def _put_compression(base: Dataset, found: Series, head: DicomHeader) -> None:
    """That the pixels once were compressed with loss stays true of everything that is made of them."""
    elements = head.elements
    methods = [word for word in elements.words(0x00282114) if _CODE.fullmatch(word)]
    try:
        ratios = [decimal_string(value) for value in elements.numbers(0x00282112)]
    except FileError:  # nothing to refuse a finished prediction for
        ratios = []
    if head.syntax in LOSSY and elements.word(0x00282110) != "01":
        layout, file = found.frames[0].file.layout, Path(found.frames[0].file.path)
        methods.append(_LOSSY_METHODS[head.syntax.rpartition(".")[2]])
        ratios.append(decimal_string(max(1.0, layout.frame_bytes * layout.frames / file.stat().st_size)))
    elif elements.word(0x00282110) != "01":
        return
    base.LossyImageCompression = "01"
    if ratios:
        base.LossyImageCompressionRatio = ratios
    if methods:
        base.LossyImageCompressionMethod = methods


def _turn_into(one: Dataset, found: Series, frame: Frame, index: int) -> None:
    """What differs from slice to slice."""
    one.SOPInstanceUID = generate_uid(prefix=None)
    one.InstanceNumber = index + 1
    one.ImagePositionPatient = [
        decimal_string(value) for value in (LPS_TO_RAS @ found.affine)[:3] @ [0.0, 0.0, index, 1.0]
    ]
    one.SourceImageSequence = []
    if frame.file.sop_instance:
        source = Dataset()
        source.ReferencedSOPClassUID = frame.file.sop_class
        put_uid(source, 0x00081155, frame.file.sop_instance)
        if frame.file.layout.frames > 1:
            source.ReferencedFrameNumber = frame.index + 1
        source.PurposeOfReferenceCodeSequence = [code("121322", "DCM", "Source image for image processing operation")]
        one.SourceImageSequence = [source]
    else:
        del one.SourceImageSequence
    one.file_meta = FileMetaDataset()
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def _stored(voxels: NDArray[Any], base: Dataset, *, hu: bool) -> NDArray[Any]:
    """Whole HU as int16; other values spread over 16 bits, with the rescale that gives them back."""
    if hu:
        return np.asarray(np.rint(np.clip(voxels, -32768, 32767)), np.int16)
    low, high = float(voxels.min()), float(voxels.max())
    slope = decimal_string((high - low) / 65535 if high > low else 1.0)
    base.RescaleSlope, base.RescaleIntercept = slope, decimal_string(low)
    scaled = (voxels.astype(np.float64) - float(base.RescaleIntercept)) / float(slope)
    return np.asarray(np.rint(np.clip(scaled, 0, 65535)), np.uint16)


def decimal_string(value: float) -> str:
    """A decimal string of at most 16 bytes, as exact as they allow.

    Examples:
        >>> decimal_string(-249.51171875), decimal_string(1 / 3), decimal_string(0.0)
        ('-249.51171875', '0.33333333333333', '0.0')
    """
    return format_number_as_ds(float(value) + 0.0)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else 0
