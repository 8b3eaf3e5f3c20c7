"""Regions to a DICOM segmentation (SEG) that refers to the series on whose grid they lie; by highdicom, an extra."""

import os
import re
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from medp2p.errors import ConfigError, FileError, RegionError, fault
from medp2p.io.atomic import check_output, write_bytes
from medp2p.io.dicom_elements import DicomHeader
from medp2p.io.dicom_frames import ENHANCED, read_header
from medp2p.io.dicom_identity import UTF8, Identity
from medp2p.io.dicom_series import Series, find_series
from medp2p.io.dicom_write import decimal_string
from medp2p.io.text_header import LPS_TO_RAS
from medp2p.regions import Regions

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription

PathLike = str | os.PathLike[str]

_TISSUE = ("85756007", "SCT", "Tissue")
_KINDS = {
    "bone": ("272673000", "SCT", "Bone"),
    "brain": ("12738006", "SCT", "Brain"),
    "soft_tissue": ("87784001", "SCT", "Soft tissue"),
    "lesion": ("52988006", "SCT", "Lesion"),
}
"""Codes of SNOMED CT for the names that we use ourselves; any other region is a tissue, called by its label."""
_LONGEST_LABEL = 64
_PLAIN = re.compile(r"[ -\[\]-~]{1,64}")


def write_segmentation(
    regions: Regions,
    source: PathLike,
    output: PathLike,
    *,
    algorithm: str | None = None,
    series: str | None = None,
    keep_identity: bool = False,
    overwrite: bool = False,
) -> None:
    """Write every region as a segment of one DICOM SEG object, in the study and frame of reference of a series.

    Args:
        regions: On the grid of the series; regions may overlap, groups are left out.
        source: The series: its folder, in which every slice is an object of its own with UIDs, or one enhanced
            multi-frame object.
        output: The file to write.
        algorithm: What made them; None where somebody drew them.
        series: SeriesInstanceUID of the source, where its folder holds several.
        keep_identity: Hand on patient and study as they are; otherwise a pseudonym, the one of `write_series`.
        overwrite: Replace a file that is there.

    Raises:
        ConfigError: The extra `dicom-objects` is not installed, or the name of the algorithm cannot be in DICOM.
        GeometryError: The regions lie on another grid than the series.
        RegionError: There is no region, or a name that no segment can have.
        FileError: The source is refused, or the file cannot be written.
        OutputExistsError: There is a file and `overwrite` is not given.

    Source:
        DICOM PS3.3 A.51, Segmentation IOD.
    """
    if find_spec("highdicom") is None:
        fix = "pip install 'medp2p[dicom-objects]'"
        raise ConfigError(None, "highdicom is not installed", key="segmentation", fix=fix)
    if algorithm is not None and not (algorithm.strip() and _PLAIN.fullmatch(algorithm)):
        raise ConfigError(None, "a name that DICOM cannot hold", key="algorithm", found=f"{len(algorithm)} letters",
                          expected="1 to 64 of ASCII, no backslash", fix="call it otherwise")  # fmt: skip
    import highdicom as hd

    check_output(output, overwrite=overwrite)
    found = find_series(source, series=series)
    found.refuse_other_grid(regions)
    names = [name for name in regions.region_names if name not in regions.groups]
    if not names:
        raise RegionError(None, "no region to write", fix="give a label map with labels above 0")
    head = _header_of(found, source)
    identity = Identity.of(head, keep=keep_identity)
    _check_labels(names, identity)
    masks = np.stack([regions.mask(name).T for name in names], axis=-1)  # slices, rows, columns, segments
    stored = np.argsort([frame.index for frame in found.frames], kind="stable")  # frames may lie in another order
    made = hd.seg.Segmentation(
        source_images=_referred_to(found, head, identity),
        pixel_array=masks[stored].astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(number, name, algorithm) for number, name in enumerate(names, start=1)],
        series_instance_uid=generate_uid(prefix=None),
        series_number=2000,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer="medp2p",
        manufacturer_model_name="medp2p",
        software_versions=version("medp2p"),
        device_serial_number="0",
        content_label="REGIONS",
        content_description="Anatomical regions",
        series_description="Regions",
    )
    content, plain = BytesIO(), all(map(str.isascii, names))
    if not plain:
        made.SpecificCharacterSet = UTF8.decode()
    identity.put_into(made)
    made["PixelData"].VR = "OB"  # bits
    made.save_as(content, enforce_file_format=True)
    written = identity.with_character_set(content.getvalue()) if plain else content.getvalue()
    write_bytes(output, written, overwrite=overwrite)


def _check_labels(names: list[str], identity: Identity) -> None:
    """Raise where a region cannot be called in a segmentation as it is called here.

    Raises:
        RegionError: Every such name.
    """
    short = [name[:_LONGEST_LABEL] for name in names]
    causes = {
        name: "two regions whose first 64 letters are one" for name in names if short.count(name[:_LONGEST_LABEL]) > 1
    }
    if not identity.takes_any_letters():
        cause = "a region whose name has letters that the character set of the series may lack"
        causes |= {name: cause for name in names if not name.isascii()}
    causes |= {
        name: "a region whose name has a backslash or a control character"
        for name in names if "\\" in name or not name.isprintable()
    }  # fmt: skip
    if causes:
        fix = "call it otherwise: it must be told from others in DICOM"
        raise RegionError.several(fault(None, cause, key=name, fix=fix) for name, cause in causes.items())


def _header_of(found: Series, source: PathLike) -> DicomHeader:
    """The header of the first slice; every slice can be referred to.

    Raises:
        FileError: One of them cannot.
    """
    objects = len({str(frame.file.path) for frame in found.frames})
    for frame in found.frames:
        several = frame.file.sop_class in ENHANCED and objects > 1
        if several or not (frame.file.sop_instance and frame.file.series):
            raise FileError(
                frame.file.path,
                "an image that a segmentation cannot refer to",
                found=f"{objects} multi-frame objects" if several else "blank UIDs",
                expected="one multi-frame object, or an object a slice, with UIDs",
                fix="write the regions as an image file",
            )
    head = read_header(found.frames[0].file.path)
    if head is None or not all(head.elements.word(tag) for tag in (0x0020000D, 0x00200052)):
        raise FileError(source, "a series that a segmentation cannot refer to",
                        found="a blank study or frame of reference", fix="write an image file")  # fmt: skip
    return head


def _referred_to(found: Series, head: DicomHeader, identity: Identity) -> list[Dataset]:
    """What a segmentation must know of the objects of a series, and nothing else of them."""
    if found.frames[0].file.sop_class in ENHANCED:
        return [_multi_frame(found, head, identity)]
    objects = []
    for index in range(found.shape[2]):
        one = _object(found, head, identity, index)
        one.update(_position(found, index))
        one.update(_orientation(found))
        one.update(_measures(found, index))
        objects.append(one)
    return objects


def _multi_frame(found: Series, head: DicomHeader, identity: Identity) -> Dataset:
    """One object with all frames of the series, in the order in which it stores them (PS3.3 C.7.6.16)."""
    one, shared, frames = _object(found, head, identity, 0), Dataset(), []
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [_measures(found, 0)], [_orientation(found)]
    for index in np.argsort([frame.index for frame in found.frames], kind="stable"):
        group = Dataset()
        group.PlanePositionSequence = [_position(found, int(index))]
        frames.append(group)
    one.NumberOfFrames = len(frames)
    one.SharedFunctionalGroupsSequence, one.PerFrameFunctionalGroupsSequence = [shared], frames
    return one


def _object(found: Series, head: DicomHeader, identity: Identity, index: int) -> Dataset:
    """The object that a frame is in, without its place."""
    frame, one = found.frames[index], Dataset()
    identity.of_nobody().put_into(one)  # highdicom repeats a name that it doubts in a warning
    one.SOPClassUID, one.SOPInstanceUID = frame.file.sop_class, frame.file.sop_instance
    one.SeriesInstanceUID, one.FrameOfReferenceUID = frame.file.series, head.elements.word(0x00200052)
    one.Modality, one.PositionReferenceIndicator = found.modality, ""
    one.Rows, one.Columns = frame.file.layout.rows, frame.file.layout.columns
    return one


def _position(found: Series, index: int) -> Dataset:
    place = Dataset()
    corner = (LPS_TO_RAS @ found.affine @ [0.0, 0.0, index, 1.0])[:3]
    place.ImagePositionPatient = [decimal_string(value) for value in corner]
    return place


def _orientation(found: Series) -> Dataset:
    directions, lps = Dataset(), (LPS_TO_RAS @ found.affine)[:3, :2]
    cosines = lps / np.linalg.norm(lps, axis=0)
    directions.ImageOrientationPatient = [decimal_string(value) for value in cosines.T.ravel()]
    return directions


def _measures(found: Series, index: int) -> Dataset:
    measures, thickness = Dataset(), found.frames[index].thickness
    sizes = np.linalg.norm(found.affine[:3, :3], axis=0)
    measures.PixelSpacing = [decimal_string(sizes[1]), decimal_string(sizes[0])]
    measures.SliceThickness = decimal_string(sizes[2] if thickness is None else thickness)
    return measures


def _segment(number: int, name: str, algorithm: str | None) -> "SegmentDescription":
    import highdicom as hd

    made_by: dict[str, Any] = {"algorithm_type": hd.seg.SegmentAlgorithmTypeValues.MANUAL}
    if algorithm is not None:
        family = hd.sr.CodedConcept("123110", "DCM", "Artificial Intelligence")
        made_by = {
            "algorithm_type": hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            "algorithm_identification": hd.AlgorithmIdentificationSequence(algorithm, family, version("medp2p")),
        }
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:_LONGEST_LABEL],
        segmented_property_category=hd.sr.CodedConcept(*_TISSUE),
        segmented_property_type=hd.sr.CodedConcept(*_KINDS.get(name, _TISSUE)),
        **made_by,
    )
