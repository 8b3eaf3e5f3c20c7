"""What a model file says of itself: all that translating needs, in one strict, bounded, hashed text."""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medp2p.errors import ModelError, Where
from medp2p.picture import pictures_of

SCHEMA_VERSION = 1
"""Rises when an older medp2p could misread a newer model file."""

Channel = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
_INT16 = (-32768, 32767)
Spacing = Annotated[float, Field(ge=0.01, le=100)]
PictureSize = Annotated[int, Field(ge=8, le=4096)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Architecture(_Part):
    """The generator: a name of the networks' table, and sizes that are bounded before anything is built."""

    kind: Literal["unet_128", "unet_256", "resnet_6", "resnet_9"]
    channels: int = Field(ge=1, le=512)
    norm: Literal["batch", "instance"]
    dropout: bool


class Preparation(_Part):
    """What a scan goes through before the generator."""

    plane: Literal["axial", "coronal", "sagittal"]
    spacing_mm: tuple[Spacing, Spacing] | None
    context_slices: int = Field(ge=0, le=16)
    resize: tuple[PictureSize, PictureSize] | None = None


class ChannelMap(_Part):
    """How values of a channel become [-1, 1]; the limits of a percentile target are the training cohort's medians."""

    kind: Literal["window", "percentile"]
    low: float
    high: float
    hu: bool
    limits: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _opens_upwards(self) -> Self:
        inside = self.kind == "window" or (self.low >= 0 and self.high <= 100)
        if not (self.low < self.high and inside):
            raise ValueError(f"low {self.low} and high {self.high} are no {self.kind}")
        if self.hu and not (self.kind == "window" and _INT16[0] <= self.low and self.high <= _INT16[1]):
            raise ValueError("HU outside a window that int16 can hold")
        if self.limits is not None and not self.limits[0] <= self.limits[1]:
            raise ValueError("limits that run downwards")
        return self


class Description(_Part):
    """All that translating needs beside the weights.

    Attributes:
        generator: The network.
        sources: Input channels, in their order.
        targets: Output channels, in their order.
        files: The name that each channel had in a case folder of the training cohort, `{case}` for the case id.
        bits: Depth of each picture, 8 or 16, where it translates pictures: then `photo.red`, `photo.green` and
            `photo.blue` are the channels of `photo`. Empty for scans.
        side_by_side: Names of the left and the right half, where both of a pair lay in one picture in training.
        preparation: Plane, spacing and neighbours.
        intensity: The map of every channel.
        precision: In which the model was validated, and translates unless told otherwise.
        habit: `evaluation`, or `training` for the reference's habit of translating with dropout and batch statistics.
    """

    generator: Architecture
    sources: tuple[Channel, ...] = Field(min_length=1, max_length=16)
    targets: tuple[Channel, ...] = Field(min_length=1, max_length=16)
    files: dict[Channel, str]
    preparation: Preparation
    intensity: dict[Channel, ChannelMap]
    precision: Literal["fp32", "bf16"]
    habit: Literal["evaluation", "training"] = "evaluation"
    bits: dict[Channel, Literal[8, 16]] = {}
    side_by_side: tuple[Channel, Channel] | None = None

    @model_validator(mode="after")
    def _every_channel_has_a_map(self) -> Self:
        channels = (*self.sources, *self.targets)
        if len(set(channels)) < len(channels):
            raise ValueError("a channel stands twice")
        if not set(self.source_images) <= set(self.files):
            raise ValueError("a source without a file name")
        if any(_leads_out(file) for file in self.files.values()):
            raise ValueError("a file name that leads out of a case folder")
        missing = [name for name in channels if name not in self.intensity]
        if missing:
            raise ValueError(f"no intensity map for {', '.join(missing)}")
        undone = [
            n for n in self.targets if self.intensity[n].kind == "percentile" and self.intensity[n].limits is None
        ]
        if undone:
            raise ValueError(f"no limits to undo the map of {', '.join(undone)}")
        if self.bits and set(self.bits) != {*self.source_images, *self.target_images}:
            raise ValueError(f"depths of other pictures than those of the channels: {', '.join(self.bits)}")
        if self.side_by_side and sorted(self.side_by_side) != sorted((*self.source_images, *self.target_images)):
            raise ValueError("halves of pictures that are not the one source and the one target")
        return self

    @property
    def pictures(self) -> bool:
        """Whether it translates pictures."""
        return bool(self.bits)

    @property
    def source_images(self) -> dict[str, tuple[str, ...]]:
        """The channels of each image that it translates: one of a scan, one or three of a picture."""
        return self._images(self.sources)

    @property
    def target_images(self) -> dict[str, tuple[str, ...]]:
        """The channels of each image that it makes."""
        return self._images(self.targets)

    def _images(self, channels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        return pictures_of(channels) if self.bits else {name: (name,) for name in channels}

    @property
    def in_channels(self) -> int:
        """Channels that the generator sees: every source with its neighbours."""
        return len(self.sources) * (2 * self.preparation.context_slices + 1)

    def to_text(self) -> str:
        """The JSON text that is stored and hashed."""
        content = self.model_dump(mode="json")
        if not self.bits:  # a model of scans says nothing of pictures
            del content["bits"], content["preparation"]["resize"]
        if self.side_by_side is None:
            del content["side_by_side"]
        return json.dumps(content, sort_keys=True, allow_nan=False)

    @classmethod
    def from_text(cls, text: str, path: Where) -> "Description":
        """A description read back, strictly.

        Raises:
            ModelError: It is no JSON, has unknown or missing parts, or sizes out of bounds.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            raise ModelError(
                path,
                "the description of the model cannot be used",
                found=f"{'.'.join(map(str, first['loc'])) or 'the text'}: {first['msg']}",
                fix="take a model that medp2p wrote, or a newer medp2p",
            ) from None


def _leads_out(file: str) -> bool:
    path = PurePosixPath(file)
    return not path.name or path.is_absolute() or ".." in path.parts or bool({"\\", "\0", ":"} & set(file))


def text_sha256(text: str) -> str:
    """SHA-256 of a text in UTF-8, lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()
