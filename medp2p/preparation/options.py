"""What `--set` of `medp2p prepare` may hold: a frozen section, read by the rules of a configuration."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError

from medp2p.config.messages import message_of, place_of
from medp2p.config.origin import Origin
from medp2p.config.overrides import apply, read_overrides
from medp2p.config.section import ChannelName, Section
from medp2p.config.strict_yaml import YamlValue
from medp2p.errors import ConfigError, Fault, fault
from medp2p.nearest import did_you_mean

Kind = Literal["none", "rigid", "affine", "bspline"]

Names = Annotated[
    tuple[ChannelName, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
]
Share = Annotated[float, Field(ge=0, le=1)]


class PreparationOptions(Section):
    """How raw scans become an aligned case."""

    onto: ChannelName | None = Field(
        default=None, description="channel whose grid all others are moved onto; null: the CT, else the first by name"
    )
    transform: Kind = Field(
        default="rigid", description="none (trust the headers), rigid, affine (rigid first) or bspline (affine first)"
    )
    bspline_spacing_mm: float = Field(
        default=80.0, ge=10, le=200, description="distance of the B-spline's knots, in mm"
    )
    n4: bool | Names = Field(
        default=True, description="correct the bias field of every channel that is not in HU, of none, or of a list"
    )
    body: bool = Field(default=True, description="find a mask of the body where the case brings none")
    regions: bool = Field(
        default=False, description="make bone, air and soft_tissue by HU from the CT where the case brings no regions"
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 2, description="of the voxels that a registration draws")
    dice_failed: Share = Field(default=0.75, description="a case whose bodies overlap less (Dice) has failed")
    dice_look: Share = Field(default=0.88, description="a case whose bodies overlap less (Dice) is to be looked at")
    overlap_failed: Share = Field(default=0.3, description="less of the body in a moved scan is a failure")
    overlap_look: Share = Field(default=0.75, description="less of the body in a moved scan is to be looked at")

    def corrects(self, channel: str, *, hu: bool) -> bool:
        """Whether the bias field of a channel is corrected."""
        return (self.n4 and not hu) if isinstance(self.n4, bool) else channel in self.n4


def refuse_unknown_channels(options: PreparationOptions, known: Iterable[str]) -> None:
    """Raise where an option names a channel that no case has.

    Args:
        options: As asked for.
        known: The channels of all cases.

    Raises:
        ConfigError: Every such name, with the nearest channel there is.

    Examples:
        >>> refuse_unknown_channels(read_options(["onto=mri"]), ["mr"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        medp2p.errors.ConfigError: --set onto: no case has such a channel (found mri, expected mr). Fix: ...
    """
    channels = sorted(set(known))
    asked = {"onto": [options.onto] if options.onto else [], "n4": options.n4 if isinstance(options.n4, tuple) else []}
    faults = [
        fault(None, "no case has such a channel", key=f"--set {key}", found=name, expected=", ".join(channels),
              fix=did_you_mean(name, channels, "name one of these"))
        for key, names in asked.items() for name in names if name not in channels
    ]  # fmt: skip
    if faults:
        raise ConfigError.several(faults)


def read_options(texts: Sequence[str] = ()) -> PreparationOptions:
    """The options of a command line; the last of a repeated key counts.

    Args:
        texts: `key=VALUE`, as after `--set`.

    Raises:
        ConfigError: Unknown keys, with the nearest known one, and values that are none; all at once.

    Examples:
        >>> read_options(["onto=t1", "n4=[t2]", "transform=affine"]).n4
        ('t2',)
        >>> read_options(["trasform=affine"])
        Traceback (most recent call last):
        medp2p.errors.ConfigError: --set trasform: unknown key (found "trasform"). Fix: did you mean `transform`?
    """
    changes, faults = read_overrides(texts)
    content: dict[str, YamlValue] = {}
    faults += [found for change in changes if (found := apply(change, content)) is not None]
    origin = Origin(None, {}, {change.keys: change.option for change in changes})
    try:
        options = PreparationOptions.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise ConfigError.several([*faults, *_in_our_words(error, content, origin)]) from None
    if faults:
        raise ConfigError.several(faults)
    return options


def _in_our_words(error: ValidationError, content: dict[str, YamlValue], origin: Origin) -> list[Fault]:
    faults: dict[tuple[str, ...], Fault] = {}
    for each in error.errors(include_url=False):
        keys = place_of(each, content)
        cause, found, expected, fix = message_of(each, PreparationOptions, keys, {})
        faults.setdefault(keys, origin.fault(keys, cause, found=found, expected=expected, fix=fix))
    return list(faults.values())
