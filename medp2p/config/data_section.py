"""The section `data`: which scans there are, whose they are, and what is held out."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from medp2p.config.case_entry import CaseEntry
from medp2p.config.csv_cases import read_cases_csv
from medp2p.config.section import ChannelName, FileName, Fraction, Place, RefusalError, Section, one_or_several
from medp2p.config.strict_yaml import shown
from medp2p.picture import pictures_of

Names = Annotated[
    tuple[ChannelName, ...],
    Field(min_length=1, max_length=16),
    BeforeValidator(one_or_several, json_schema_input_type=str | list[str]),
]
Files = Annotated[
    tuple[FileName, ...],
    Field(min_length=1),
    BeforeValidator(one_or_several, json_schema_input_type=str | list[str]),
]


def _patient_pattern(pattern: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise RefusalError(
            f"no regular expression: {error}", found=shown(pattern), fix="correct the expression"
        ) from error
    if groups < 1:
        fix = r"put the part that is the patient in parentheses, as in '^(patient\d+)_'"
        raise RefusalError("no group in the expression", found=shown(pattern), expected="a group 1", fix=fix)
    return pattern


class Split(Section):
    """Shares of the patients that are held out."""

    validation: Fraction = Field(default=0.1, description="share of the patients by which the best weights are chosen")
    test: Fraction = Field(default=0.2, description="share of the patients that training never sees")


def _form_of_cases(value: object) -> str:
    return "csv" if isinstance(value, (str, Path)) else "list"


class DataSection(Section):
    """Which scans there are, whose they are, and what is held out."""

    kind: Literal["scans", "pictures"] = Field(
        default="scans", description="scans; or pictures: PNG, TIFF, JPEG or radiographs in DICOM, a pair a case"
    )
    sources: Names = Field(description="input channels, in this order")
    target: Names = Field(description="the channel to predict: a name, or a list of names")
    folder: Place | None = Field(default=None, description="one sub-folder per case; its name is the case id")
    layout: Literal["folders", "names", "bids", "nnunet"] = Field(
        default="folders",
        description="how the cases lie in the folder: one sub-folder each, by file names with {case} "
        "in them, a BIDS data set, or an nnU-Net raw data set",
    )
    files: Mapping[str, Files] | None = Field(
        default=None,
        description="file of each channel in a case folder, <channel>.nii.gz if left out; regions and body are "
        "optional, regions may be a list; {case} stands for the case id; names: paths from the folder, * for anything "
        "within a name; bids: suffixes; nnunet: names of channels; of pictures, the folder of each",
    )
    side_by_side: tuple[ChannelName, ChannelName] | None = Field(
        default=None, description="names of the left and the right half, where a picture holds both of a pair"
    )
    bits: Mapping[str, Literal[8, 16]] = Field(
        default={}, description="depth of each picture, 8 or 16; it follows from the files"
    )
    patient: Annotated[str, Field(max_length=200), AfterValidator(_patient_pattern)] | None = Field(
        default=None, description="regular expression whose group 1 is the patient in a case id; null: the case id"
    )
    split: Split | None = Field(default=None, description="shares of the patients held out, drawn by training.seed")
    cases: (
        Annotated[
            Annotated[Place, Tag("csv")] | Annotated[tuple[CaseEntry, ...], Field(min_length=1), Tag("list")],
            Discriminator(_form_of_cases),
        ]
        | None
    ) = Field(
        default=None, description="instead of folder, files and split: a list of cases, or a CSV file of that form"
    )
    store: Place | None = Field(
        default=None,
        description="folder of prepared slices, safe to delete; null: .medp2p-store beside the run folders",
    )

    @property
    def channels(self) -> tuple[str, ...]:
        """Sources, then targets."""
        return (*self.sources, *self.target)

    @property
    def pictures(self) -> bool:
        """Whether cases are pairs of pictures."""
        return self.kind == "pictures"

    @property
    def images(self) -> Mapping[str, tuple[str, ...]]:
        """The channels of each image that a case has a file of: one of a scan, one or three of a picture."""
        return pictures_of(self.channels) if self.pictures else {name: (name,) for name in self.channels}

    @property
    def source_images(self) -> tuple[str, ...]:
        """The images that are sources."""
        return tuple(name for name, channels in self.images.items() if channels[0] in self.sources)

    @property
    def target_images(self) -> tuple[str, ...]:
        """The images that are targets."""
        return tuple(name for name, channels in self.images.items() if channels[0] in self.target)

    @property
    def fractions(self) -> Split:
        """The shares held out of a folder of cases."""
        return self.split or Split()

    def file_of(self, image: str) -> str:
        """Name of an image's file in a case folder, `{case}` in it for the case id; of pictures, their folder."""
        return (self.files or {}).get(image, (image if self.pictures else f"{image}.nii.gz",))[0]

    @property
    def region_files(self) -> tuple[str, ...]:
        """Names of the label maps in a case folder; none where regions are not used."""
        return (self.files or {}).get("regions", ())

    @property
    def body_file(self) -> str | None:
        """Name of the body mask in a case folder."""
        return next(iter((self.files or {}).get("body", ())), None)

    def case_entries(self) -> list[CaseEntry]:
        """The cases that were listed one by one, from the configuration or its CSV file; empty for a folder.

        Raises:
            ConfigError: The CSV file is refused; every fault with its line.
            FileError: It cannot be read.
        """
        if isinstance(self.cases, Path):
            return read_cases_csv(self.cases, tuple(self.images))
        return list(self.cases or ())
