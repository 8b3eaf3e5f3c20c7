"""One scan to translate, and all of those behind one INPUT."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medp2p.errors import Fault


@dataclass(frozen=True)
class Job:
    """One scan to translate.

    Attributes:
        name: Case id or file name, for messages.
        sources: The file (or DICOM folder) of every source channel.
        outputs: The file of every target channel; a DICOM folder where `dicom`.
        dicom: Whether the result is written as a DICOM series.
    """

    name: str
    sources: Mapping[str, Path]
    outputs: Mapping[str, Path]
    dicom: bool = False


@dataclass(frozen=True)
class Jobs:
    """Everything behind one INPUT.

    Attributes:
        jobs: In the order of their names.
        faults: Inputs that cannot be jobs; they stop no other.
        many: Whether INPUT was a folder of images or a cohort, so that what is finished is kept.
    """

    jobs: tuple[Job, ...]
    faults: tuple[Fault, ...] = ()
    many: bool = False
