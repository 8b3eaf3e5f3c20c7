"""The section `intensity`: how the values of each channel become [-1, 1]."""

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from medp2p.config.section import Section
from medp2p.config.strict_yaml import YamlValue

HU_LOW, HU_HIGH = -1024.0, 3071.0  # HU, the window of SynthRAD2025
PERCENTILE_LOW, PERCENTILE_HIGH = 0.5, 99.5  # per cent of all voxels
HU_CHANNELS = ("ct", "cbct")


class ChannelIntensity(Section):
    """How the values of one channel become [-1, 1]; what is left out depends on the channel's name."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema.pop("required")
    )  # the name decides, see filled_in

    kind: Literal["window", "percentile"] = Field(
        description="window (fixed limits, exactly undone) or percentile (of each volume)"
    )
    low: float = Field(ge=-3e38, le=3e38, description="value or percentage that becomes -1")
    high: float = Field(ge=-3e38, le=3e38, description="value or percentage that becomes 1")
    hu: bool = Field(default=False, description="the channel is in Hounsfield units; a window only")


def is_hu_name(channel: str) -> bool:
    """Whether a channel is in HU by its name.

    Examples:
        >>> is_hu_name("CT"), is_hu_name("t1")
        (True, False)
    """
    return channel.casefold() in HU_CHANNELS


def filled_in(intensity: Mapping[str, YamlValue], channels: Iterable[str]) -> dict[str, YamlValue]:
    """The section as written, completed for every channel by its name: HU for ct and cbct, percentiles for others.

    A window outside HU has no limits of its own: they stay missing, which is then refused.

    Examples:
        >>> filled_in({"ct": {"high": 2000}}, ["mr", "ct"])["ct"]
        {'kind': 'window', 'hu': True, 'low': -1024.0, 'high': 2000}
    """
    complete = dict(intensity)
    for channel in channels:
        complete.setdefault(channel, None)
    return {channel: _completed(channel, written) for channel, written in complete.items()}


def _completed(channel: str, written: YamlValue) -> YamlValue:
    if not isinstance(written, dict | None):
        return written
    given: dict[str, YamlValue] = written or {}
    in_hu = is_hu_name(channel)
    kind = given.get("kind", "window" if in_hu else "percentile")
    defaults: dict[str, YamlValue] = {"kind": kind}
    if kind == "percentile":
        defaults |= {"hu": False, "low": PERCENTILE_LOW, "high": PERCENTILE_HIGH}
    elif given.get("hu", in_hu) is True:
        defaults |= {"hu": True, "low": HU_LOW, "high": HU_HIGH}
    return defaults | given
