"""Whose a derived DICOM series is: the source's patient and study, or a pseudonym; never a half of both."""

import hmac
import logging
import secrets
import struct
from dataclasses import dataclass

from pydicom import config
from pydicom.charset import convert_encodings, default_encoding, python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid

from medp2p.io.dicom_elements import DicomHeader

logger = logging.getLogger(__name__)

_SECRET = secrets.token_bytes(16)
"""Of this process: pseudonyms are the same for one patient in one run, and cannot be traced back from another."""

_IDENTITY = {
    0x00080020: "DA", 0x00080030: "TM", 0x00080050: "SH", 0x00080090: "PN", 0x00081030: "LO", 0x00100010: "PN",
    0x00100020: "LO", 0x00100021: "LO", 0x00100030: "DA", 0x00100040: "CS", 0x00101010: "AS", 0x00200010: "SH",
}  # fmt: skip
"""What files a series under its patient and study; copied byte by byte, with their character set, or not at all."""
_CHARACTER_SET = 0x00080005
UTF8 = b"ISO_IR 192"
"""The character set that has every letter (PS3.3 C.12.1.1.2)."""


@dataclass(frozen=True)
class Identity:
    """Patient and study of the series to write.

    Attributes:
        study: StudyInstanceUID, the source's wherever it has one.
        copied: Raw values to hand on, by tag; empty for a pseudonym.
        pseudonym: What the patient is called by, or nothing where the identity is handed on.
        character_set: Raw value of the source's, where names are handed on; our own words are ASCII.
    """

    study: str
    copied: dict[int, bytes]
    pseudonym: str
    character_set: bytes = b""

    @classmethod
    def of(cls, header: DicomHeader, *, keep: bool) -> "Identity":
        """The identity of a source's header, or a pseudonym for it."""
        elements = header.elements
        study = elements.uid(0x0020000D) or str(generate_uid(prefix=None))
        if keep:
            if not {word for word in elements.words(_CHARACTER_SET) if word} <= python_encoding.keys():
                logger.warning("the DICOM source has an unknown character set: names are copied byte by byte")
            return cls(study, {tag: elements.raw(tag) for tag in _IDENTITY}, "", elements.raw(_CHARACTER_SET))
        who = elements.raw(0x00100020).strip(b"\0 ") or elements.raw(0x00100010).strip(b"\0 ")
        digest = hmac.new(_SECRET, b"\1" + who if who else b"\2" + study.encode(), "sha256").hexdigest()
        return cls(study, {}, digest[:12].upper())

    def of_nobody(self) -> "Identity":
        """The same study with every name empty, for what other programs read and may speak of."""
        return Identity(self.study, dict.fromkeys(_IDENTITY, b""), "")

    def takes_any_letters(self) -> bool:
        """Whether our own words may be in UTF-8 beside what is handed on."""
        utf8 = self.character_set.strip(b"\0 ") == UTF8
        return utf8 or all(value.isascii() and b"\x1b" not in value for value in self.copied.values())

    def put_into(self, dataset: Dataset) -> None:
        """Fill the modules of patient and study."""
        put_uid(dataset, 0x0020000D, self.study)
        words = dataset.get("SpecificCharacterSet")
        letters = convert_encodings(words) if words else default_encoding
        dataset.set_original_encoding(False, True, letters)  # or names would be decoded and encoded
        if not self.pseudonym:
            for tag, value in self.copied.items():
                if value or tag in _REQUIRED:
                    dataset[Tag(tag)] = RawDataElement(Tag(tag), _IDENTITY[tag], len(value), value, 0, False, True)
            return
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

    def with_character_set(self, content: bytes) -> bytes:
        """A finished file with the character set of the copied names, as the first element after the file's own header.

        pydicom writes the file without it, since it would read the names, and warn of what it does not know.
        """
        if not self.character_set:
            return content
        start = 132 + 12 + int(struct.unpack_from("<I", content, 132 + 8)[0])
        value = self.character_set
        element = struct.pack("<HH2sH", _CHARACTER_SET >> 16, _CHARACTER_SET & 0xFFFF, b"CS", len(value)) + value
        return content[:start] + element + content[start:]


_REQUIRED = {
    0x00080020, 0x00080030, 0x00080050, 0x00080090, 0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x00200010,
}  # fmt: skip
"""Present in every image, empty where nothing is known (PS3.3 C.7.1.1 and C.7.2.1, Type 2)."""


def put_uid(dataset: Dataset, tag: int, uid: str) -> None:
    """Hand a UID on as it is: pydicom warns of leading zeros, and shows it."""
    dataset.add(DataElement(Tag(tag), "UI", uid, validation_mode=config.IGNORE))


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
