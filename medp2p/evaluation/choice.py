"""Which protocol fits the scans: by their values where `auto` is asked for, and refused where HU cannot be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from medp2p.errors import ConfigError
from medp2p.evaluation.protocol import (
    AIR_BELOW_HU,
    AIR_PERCENTILE,
    HIGH_PERCENTILE,
    NEVER_ABOVE_HU,
    Protocol,
    hu_limits_fit,
)
from medp2p.evaluation.protocol_table import protocols
from medp2p.nearest import nearest
from medp2p.percentiles import percentiles
from medp2p.picture import is_picture
from medp2p.volume import Volume

AUTO: Final = "auto"


@dataclass(frozen=True)
class Limits:
    """The percentiles of a reference that tell whether it can be in HU.

    Attributes:
        air: 0.5th percentile over all voxels.
        high: 99.5th percentile.
        picture: Whether it is a picture, which is never in HU.
    """

    air: float
    high: float
    picture: bool = False

    @property
    def has_air(self) -> bool:
        """Whether its lowest values lie where only HU put air."""
        return self.air < AIR_BELOW_HU

    @property
    def fit_hu(self) -> bool:
        """Whether it can be in HU."""
        return hu_limits_fit(self.air, self.high)


def limits_of(reference: Volume) -> Limits:
    """The percentiles of a reference that protocols are chosen by."""
    air, high = percentiles(reference.voxels, (AIR_PERCENTILE, HIGH_PERCENTILE))
    return Limits(air, high, is_picture(reference))


def protocol_called(name: str, references: Sequence[Limits], *, cases: Sequence[str] = ()) -> Protocol:
    """The protocol of a name; `auto` chooses by the references, whose cases are named where they disagree.

    Raises:
        ConfigError: No protocol has that name, or the references of `auto` are partly in HU.
    """
    if name in protocols:
        return protocols[name]
    if name != AUTO:
        near = nearest(name, [*protocols, AUTO])
        raise ConfigError(
            None,
            f"no protocol is called {name}",
            key="protocol",
            expected=f"one of {', '.join((AUTO, *protocols))}",
            fix=f"write {near}" if near else "choose one of these",
        )
    pictures = sum(limits.picture for limits in references)
    if 0 < pictures < len(references):
        raise ConfigError(
            None,
            "some references are pictures and some are scans, so no protocol fits all",
            key="protocol",
            found=f"{pictures} of {len(references)} pictures",
            expected="all or none",
            fix="evaluate them apart",
        )
    if pictures:
        return protocols["picture"]
    with_air = sum(limits.has_air for limits in references)
    if 0 < with_air < len(references):
        fewer = 2 * with_air <= len(references)
        odd = [case for case, limits in zip(cases, references, strict=False) if limits.has_air == fewer]
        named = f": {', '.join(odd[:5])}" if fewer else f"; not {', '.join(odd[:5])}"
        raise ConfigError(
            None,
            "some references are in HU and some are not, so no protocol fits all",
            key="protocol",
            found=f"{with_air} of {len(references)} with a 0.5th percentile below {AIR_BELOW_HU:g}" + named * bool(odd),
            expected="all or none",
            fix="evaluate them apart, or name a protocol",
        )
    return protocols["synthrad2025" if with_air else "mr"]


def check_kind(protocol: Protocol, limits: Limits) -> None:
    """Refuse to score by HU what cannot be in HU, a picture as a scan, and a scan as a picture.

    Raises:
        ConfigError: The protocol is not for such a reference; where it is for HU, both percentiles are named.
    """
    if protocol.for_pictures != limits.picture:
        kinds = ("scans", "pictures") if limits.picture else ("pictures", "scans")
        raise ConfigError(
            None,
            f"{protocol.name} is for {kinds[0]}, and the reference is one of {kinds[1]}",
            key="protocol",
            fix="leave the protocol to auto",
        )
    if protocol.hu and not limits.fit_hu:
        raise ConfigError(
            None,
            f"{protocol.name} is for HU, and the reference cannot be in HU",
            found=f"0.5th percentile {limits.air:g}, 99.5th percentile {limits.high:g}",
            expected=f"below {AIR_BELOW_HU:g} and at most {NEVER_ABOVE_HU:g}",
            fix="convert the reference to HU, or score it by protocol mr",
        )
