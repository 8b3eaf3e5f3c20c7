"""One case of a list of cases, in a configuration or in a CSV file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from medp2p.config.section import CaseId, Place, Section, Text, one_or_several

SplitName = Literal["train", "validation", "test"]
WaivableCheck = Literal["hu_range", "body_overlap"]
Places = Annotated[tuple[Place, ...], BeforeValidator(one_or_several, json_schema_input_type=str | list[str])]


class CaseEntry(Section):
    """One case of a list: its files under the names of their channels."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Place]

    id: CaseId = Field(description="the case, as results call it")
    split: SplitName = Field(description="train, validation or test")
    patient: Text | None = Field(default=None, description="whose scan it is; the case id if left out")
    regions: Places = Field(default=(), description="label map, or a list of them")
    body: Place | None = Field(default=None, description="mask of the body")
    allow: tuple[WaivableCheck, ...] = Field(default=(), description="checks that are waived for this case")

    @property
    def files(self) -> Mapping[str, Path]:
        """The file of every channel; absolute after loading."""
        return dict(self.__pydantic_extra__)
