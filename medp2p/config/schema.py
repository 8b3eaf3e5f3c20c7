"""The whole schema of a configuration; names of sections and keys are those of the file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PlainSerializer, PlainValidator, PrivateAttr

from medp2p.config.data_section import DataSection
from medp2p.config.intensity_section import ChannelIntensity
from medp2p.config.origin import Origin
from medp2p.config.region_names import RegionNames, parse_region_names
from medp2p.config.section import Fraction, Place, Section, Text, Weight
from medp2p.errors import Fault

FLOAT32_MAX = 3.4028234e38
Spacing = Annotated[float, Field(ge=0.01, le=100)]
Size = Annotated[int, Field(ge=8, le=4096)]
_WrittenNames = str | dict[str, str | int | list[int | str] | dict[str, list[int | str]]] | None
Beta = Annotated[float, Field(ge=0, lt=1)]
Factor = Annotated[float, Field(ge=0, le=FLOAT32_MAX)]
Epochs = Annotated[int, Field(ge=0, le=1_000_000)]
Channels = Annotated[int, Field(ge=1, le=512)]


class RegionsSection(Section):
    """Names of the regions of label maps, and their weights."""

    names: Annotated[
        RegionNames,
        PlainValidator(parse_region_names, json_schema_input_type=_WrittenNames),
        PlainSerializer(lambda names: dict(names) if isinstance(names, Mapping) else names and str(names)),
    ] = Field(
        default=None,
        description="label: name; or a label table (labels.yaml, ITK-SNAP .label, nnU-Net dataset.json), or "
        "totalsegmentator; null: a region is called by its number",
    )
    groups: Mapping[Text, Annotated[tuple[Text, ...], Field(min_length=1)]] = Field(
        default={}, description="unions of regions under a name of their own, as bone: [skull, spine]"
    )
    weights: Mapping[Text, Weight] = Field(
        default={}, description="weight of regions in the L1; 1 where nothing is said, 0 leaves a region out"
    )


class PreparationSection(Section):
    """What a scan goes through before the network; the same in training and translation."""

    plane: Literal["axial", "coronal", "sagittal"] = Field(default="axial", description="axial, coronal or sagittal")
    spacing_mm: tuple[Spacing, Spacing] | None = Field(
        default=(1.0, 1.0), description="pixel size in plane, in mm; null keeps the scan's own"
    )
    size: tuple[Size, Size] = Field(
        default=(256, 256), description="height and width of a training slice in pixels; translation only ever pads"
    )
    resize: tuple[Size, Size] | None = Field(
        default=None,
        description="height and width that training pictures get before a slice is cut at random; they are "
        "translated at `size`; null keeps their own",
    )
    context_slices: Annotated[int, Field(ge=0, le=16)] = Field(
        default=0, description="neighbours on each side given as further input channels"
    )
    mask_outside_body: bool = Field(
        default=True, description="outside the body the training target is the low end of its map"
    )


class AugmentationSection(Section):
    """Random changes of training slices, the same for source, target and weight."""

    flip: Fraction = Field(default=0.0, description="probability of a left-right flip")
    rotate_degrees: Annotated[float, Field(ge=0, le=180)] = Field(
        default=0.0, description="rotation by at most so many degrees"
    )
    scale: Annotated[float, Field(ge=0, le=0.9)] = Field(
        default=0.0, description="larger or smaller by at most this fraction"
    )
    translate: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.0, description="shift by at most this fraction of the width"
    )


class GeneratorSection(Section):
    """The network that translates."""

    kind: Literal["unet_128", "unet_256", "resnet_6", "resnet_9"] = Field(
        default="unet_256", description="unet_128, unet_256, resnet_6 or resnet_9"
    )
    channels: Channels = Field(default=64, description="channels of its first layer")
    norm: Literal["batch", "instance"] = Field(default="batch", description="batch or instance")
    dropout: bool = Field(default=True, description="dropout while it is trained")
    habit: Literal["evaluation", "training"] = Field(
        default="evaluation",
        description="how it translates: evaluation; or training, the reference's habit (dropout, slice statistics)",
    )


class DiscriminatorSection(Section):
    """The network that judges pairs while the generator is trained."""

    kind: Literal["patch", "pixel"] = Field(default="patch", description="patch or pixel")
    channels: Channels = Field(default=64, description="channels of its first layer")
    layers: Annotated[int, Field(ge=1, le=8)] = Field(
        default=3, description="depth of a patch discriminator; 3 judges patches of 70 pixels"
    )
    norm: Literal["batch", "instance"] = Field(default="batch", description="batch or instance")


class LossSection(Section):
    """What the generator is trained for."""

    adversarial: Literal["vanilla", "lsgan"] = Field(default="vanilla", description="vanilla or lsgan")
    adversarial_weight: Factor = Field(default=1.0, description="factor of the adversarial loss")
    l1_weight: Factor = Field(default=100.0, description="factor of the region-weighted L1")


class TrainingSection(Section):
    """How long, how fast, and from where."""

    epochs: Epochs = Field(default=100, description="epochs at the full learning rate")
    decay_epochs: Epochs = Field(default=100, description="further epochs, in which it falls linearly to zero")
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = Field(
        default=16, description="slices a step, over all devices"
    )
    learning_rate: Annotated[float, Field(gt=0, le=FLOAT32_MAX)] = Field(
        default=2.0e-4, description="learning rate of both networks"
    )
    betas: tuple[Beta, Beta] = Field(default=(0.5, 0.999), description="betas of Adam")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto, fp32 or bf16; what auto took is stored with the model"
    )
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(default=0, description="decides splits, weights and draws")
    validate_every: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=5, description="epochs between validations; the last epoch is always validated"
    )
    start_from: Place | None = Field(default=None, description="a run or .pth file whose weights to begin with")
    tracking: Literal["tensorboard", "mlflow", "wandb"] | None = Field(
        default=None, description="tensorboard, mlflow or wandb, each an extra; the curves are in the run folder anyway"
    )


class BestBy(Section):
    """The number that decides which weights are the best."""

    metric: Literal["mae", "me", "psnr", "ssim", "ms_ssim"] = Field(
        default="mae", description="mae, me, psnr, ssim or ms_ssim"
    )
    region: Text = Field(default="body", description="any region that scores.csv knows")


class EvaluationSection(Section):
    """How predictions are scored."""

    protocol: Literal["auto", "synthrad2023", "synthrad2025", "mr", "mr_raw", "skimage", "monai", "picture"] = Field(
        default="auto",
        description="auto, synthrad2023, synthrad2025, mr, mr_raw, skimage, monai or picture; auto: synthrad2025 for "
        "a target in HU, picture for pictures, else mr",
    )
    best_by: BestBy = Field(default=BestBy(), description="the validation score whose best epoch is kept")


class Config(Section):
    """A configuration with everything filled in; only `data` must be given."""

    data: DataSection = Field(description="which scans there are, whose they are, and what is held out")
    regions: RegionsSection = Field(
        default=RegionsSection(), description="names of label maps, and weights in the loss"
    )
    preparation: PreparationSection = Field(default=PreparationSection(), description="from scan to slice")
    intensity: Mapping[str, ChannelIntensity] = Field(
        default={}, description="how the values of each channel become [-1, 1]"
    )
    augmentation: AugmentationSection = Field(default=AugmentationSection(), description="random changes in training")
    generator: GeneratorSection = Field(default=GeneratorSection(), description="the network that translates")
    discriminator: DiscriminatorSection = Field(default=DiscriminatorSection(), description="the network that judges")
    loss: LossSection = Field(default=LossSection(), description="what the generator is trained for")
    training: TrainingSection = Field(default=TrainingSection(), description="how long, how fast, and from where")
    evaluation: EvaluationSection = Field(default=EvaluationSection(), description="how predictions are scored")

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """Where each key was written."""
        return self._origin

    def with_origin(self, origin: Origin) -> Self:
        """The same configuration, whose faults name the file and line they come from."""
        copy = self.model_copy()
        copy._origin = origin
        return copy

    def fault(self, key: str, cause: str, *, found: object = None, expected: object = None, fix: str) -> Fault:
        """A fault of one key, with the file and line it was written in.

        Args:
            key: Dotted, as in `data.folder`.
            cause: What is wrong.
            found: What there is.
            expected: What there should be.
            fix: What to do next.
        """
        return self.origin.fault(key.split("."), cause, found=found, expected=expected, fix=fix)

    def without_places(
        self, names: Mapping[int, str] | None = None, groups: Mapping[str, Sequence[str]] | None = None
    ) -> Self:
        """The same configuration without a path in it, as a run folder keeps it.

        Args:
            names: What `regions.names` holds where that is a file.
            groups: The groups in that file.
        """
        data = self.data.model_copy(update={"folder": None, "cases": None, "store": None})
        regions = self.regions
        if isinstance(regions.names, Path):
            joined = {name: tuple(members) for name, members in (groups or {}).items()} | dict(regions.groups)
            regions = regions.model_copy(update={"names": names, "groups": joined})
        training = self.training.model_copy(update={"start_from": None})
        return self.model_copy(update={"data": data, "regions": regions, "training": training}).with_origin(Origin())
