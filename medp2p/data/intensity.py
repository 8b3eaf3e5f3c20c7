"""Intensities of a scan to what a network sees, [-1, 1], and back; numpy alone."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medp2p.errors import ConfigError
from medp2p.percentiles import percentiles

LOW, HIGH = -1.0, 1.0
"""What the low and the high end of a map become."""
_WIDE = 1e37
"""From here on differences of limits may be none that float32 holds."""


@dataclass(frozen=True)
class Limits:
    """The two intensities that become -1 and 1, in the scan's own units.

    Examples:
        >>> Limits(0.0, 0.0).constant
        True
    """

    low: float
    high: float

    @property
    def constant(self) -> bool:
        """Whether the scan holds one value only: it then becomes -1 everywhere."""
        return not self.high > self.low


@dataclass(frozen=True)
class IntensityMap:
    """How the intensities of one channel become [-1, 1].

    Args:
        kind: `window`: the same two intensities for every scan, so the map can be undone exactly. `percentile`: those
            that so many percent of all voxels of a scan, as scanned, do not exceed.
        low: Intensity, or percentage, that becomes -1; what lies below it is clipped.
        high: Intensity, or percentage, that becomes 1.
        hu: Whether the channel is in Hounsfield units.

    Raises:
        ConfigError: An unknown kind, `low` not below `high`, or a percentage outside 0 to 100.

    Examples:
        >>> ct = IntensityMap("window", -1024.0, 3071.0, hu=True)
        >>> limits = ct.fit(np.array([-1000.0, 40.0]))
        >>> ct.inverse(ct.forward(np.array([-1000.0, 40.0]), limits), limits).round(3).tolist()
        [-1000.0, 40.0]
    """

    kind: str
    low: float
    high: float
    hu: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("window", "percentile"):
            raise ConfigError(
                None, "no such map", key="kind", found=self.kind, expected="window or percentile", fix="name one"
            )
        ends = (0.0, 100.0) if self.kind == "percentile" else (-np.inf, np.inf)
        if not (np.isfinite([self.low, self.high]).all() and ends[0] <= self.low < self.high <= ends[1]):
            raise ConfigError(
                None,
                f"ends of a {self.kind} that cannot be",
                key="low, high",
                found=f"{self.low}, {self.high}",
                expected="low below high" + (", both 0 to 100" if self.kind == "percentile" else ""),
                fix="correct them",
            )

    def fit(self, voxels: NDArray[Any]) -> Limits:
        """The limits for one scan.

        Args:
            voxels: All of its voxels, in any order and number type.

        Returns:
            For a `window` its two ends. For `percentile` the two percentiles, in float64; where they coincide, the
            smallest and the largest value; where these do too, the scan is constant and `Limits.constant` says so.
        """
        if self.kind == "window":
            return Limits(float(self.low), float(self.high))
        low, high = percentiles(voxels, (self.low, self.high))
        return Limits(low, high) if low < high else Limits(float(voxels.min()), float(voxels.max()))

    @staticmethod
    def forward(voxels: ArrayLike, limits: Limits) -> NDArray[np.float32]:
        """Intensities to [-1, 1], clipped; a constant scan becomes -1. Any shape; float32."""
        values = np.asarray(voxels)
        if limits.constant:
            return np.full(values.shape, LOW, np.float32)
        narrow = np.float32 if max(abs(limits.low), abs(limits.high)) < _WIDE else np.float64
        mapped = values.astype(np.result_type(values.dtype, narrow))
        mapped -= limits.low
        mapped /= limits.high - limits.low
        mapped *= HIGH - LOW
        mapped += LOW
        return np.clip(mapped, LOW, HIGH, out=mapped).astype(np.float32, copy=False)

    @staticmethod
    def inverse(mapped: ArrayLike, limits: Limits) -> NDArray[np.float32]:
        """[-1, 1] to intensities: float32 of the same shape, exact to a rounding of the width of the limits."""
        values = np.asarray(mapped)
        width = max(limits.high - limits.low, 0.0)
        scaled = (values.astype(np.float64) - LOW) * (width / (HIGH - LOW)) + limits.low
        return scaled.astype(np.float32)

    def to_dict(self) -> dict[str, str | float | bool]:
        """Plain values, as a model file keeps them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The map that `to_dict` wrote.

        Raises:
            ConfigError: The values describe no map.
        """
        try:
            kind, low, high, hu = (values[key] for key in ("kind", "low", "high", "hu"))
            return cls(str(kind), float(low), float(high), bool(hu))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                None, "no intensity map", found=dict(values), expected="kind, low, high, hu", fix="use an intact model"
            ) from error


def cohort_limits(limits: Iterable[Limits]) -> Limits:
    """The limits with which a target is undone that has none of its own: the medians over a training cohort.

    Examples:
        >>> cohort_limits([Limits(0, 90), Limits(10, 100), Limits(2, 400)])
        Limits(low=2.0, high=100.0)
    """
    pairs = np.array([(each.low, each.high) for each in limits], np.float64)
    low, high = np.median(pairs, axis=0)
    return Limits(float(low), float(high))
