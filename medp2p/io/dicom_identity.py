"""Whose a derived DICOM series is: the source's patient and study, or a pseudonym; never a half of both."""

import hmac
import secrets
from dataclasses import dataclass

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from medp2p.io.dicom_elements import DicomHeader

_SECRET = secrets.token_bytes(16)
"""Of this process: pseudonyms are the same for one patient in one run, and cannot be traced back from another."""

_IDENTITY = {
    0x00080020: "DA", 0x00080030: "TM", 0x00080050: "SH", 0x00080090: "PN", 0x00081030: "LO", 0x00100010: "PN",
    0x00100020: "LO", 0x00100021: "LO", 0x00100030: "DA", 0x00100040: "CS", 0x00101010: "AS", 0x00200010: "SH",
}  # fmt: skip
"""What files a series under its patient and study; copied byte by byte, with their character set, or not at all."""
_CHARACTER_SET = 0x00080005


@dataclass(frozen=True)
class Identity:
    """Patient and study of the series to write.

    Attributes:
        study: StudyInstanceUID, the source's wherever it has one.
        copied: Raw values to hand on, by tag; empty for a pseudonym.
        pseudonym: What the patient is called by, or nothing where the identity is handed on.
    """

    study: str
    copied: dict[int, bytes]
    pseudonym: str

    @classmethod
    def of(cls, header: DicomHeader, *, keep: bool) -> "Identity":
        """The identity of a source's header, or a pseudonym for it."""
        elements = header.elements
        study = elements.word(0x0020000D) or str(generate_uid(prefix=None))
        if keep:
            copied = {tag: elements.raw(tag) for tag in (_CHARACTER_SET, *_IDENTITY) if elements.element(tag)}
            return cls(study, copied, "")
        who = elements.raw(0x00100020).strip(b"\0 ") or elements.raw(0x00100010).strip(b"\0 ")
        digest = hmac.new(_SECRET, b"\1" + who if who else b"\2" + study.encode(), "sha256").hexdigest()
        return cls(study, {}, digest[:12].upper())

    def put_into(self, dataset: Dataset) -> None:
        """Fill the modules of patient and study."""
        dataset.StudyInstanceUID = self.study
        if not self.pseudonym:
            for tag in sorted(_IDENTITY.keys() | {_CHARACTER_SET}):
                vr = _IDENTITY.get(tag, "CS")
                if tag in self.copied or tag in _REQUIRED:
                    value = self.copied.get(tag, b"")
                    value += b" " * (len(value) % 2)
                    dataset[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
            return
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName, dataset.PatientID = f"SYN^{self.pseudonym}", f"SYN-{self.pseudonym}"
        for name in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"):
            setattr(dataset, name, "")
        dataset.ReferringPhysicianName = ""
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = "medp2p: header made anew, study and frame UIDs kept"
        dataset.DeidentificationMethodCodeSequence = [
            code("113100", "DCM", "Basic Application Confidentiality Profile"),
            code("113110", "DCM", "Retain UIDs Option"),
        ]


_REQUIRED = {
    0x00080020, 0x00080030, 0x00080050, 0x00080090, 0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x00200010,
}  # fmt: skip
"""Present in every image, empty where nothing is known (PS3.3 C.7.1.1 and C.7.2.1, Type 2)."""


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
