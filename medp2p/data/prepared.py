"""A case as training sees it: whole planes in 16 bits, and the weight of every pixel."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medp2p.data.geometry import PlaneGrid
from medp2p.data.intensity import Limits
from medp2p.errors import ConfigError

STEPS = 32767
"""What 1 is stored as: 4095 HU then have steps of 0.06 HU."""
_MOST_WEIGHTS = 256


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """The planes of one case.

    Attributes:
        channels: Names of the channels, sources before targets.
        images: `STEPS` times the mapped value, sources before targets; int16, shape (N, C, H, W).
        weights: Number of each pixel's weight in `table`, uint8, shape (N, H, W); None where all weigh the same.
        table: The weights there are; one where `weights` is None.
        limits: What each channel's map was fitted to.
        spacing_mm: Of the planes, from row to row and from column to column.
    """

    channels: tuple[str, ...]
    images: NDArray[np.int16]
    weights: NDArray[np.uint8] | None
    table: NDArray[np.float32]
    limits: Mapping[str, Limits]
    spacing_mm: tuple[float, float]

    @classmethod
    def of(
        cls,
        grid: PlaneGrid,
        channels: Mapping[str, Iterable[NDArray[np.float32]]],
        weights: NDArray[np.float32] | None,
        limits: Mapping[str, Limits],
    ) -> "PreparedCase":
        """The planes of each channel, (H, W) within [-1, 1], in the order that channels shall have, and their weights.

        Args:
            grid: How the scan was cut.
            channels: Its planes one after the other, so that they need not all be held as float32.
            weights: Of every pixel, shape (N, H, W); None: they all weigh 1.
            limits: What each channel's map was fitted to.

        Raises:
            ConfigError: More than 256 different weights.
        """
        names, spacing_mm = tuple(channels), grid.spacing
        images = np.empty((grid.count, len(names), *grid.size), np.int16)
        steps = np.empty(grid.size, np.float32)
        for number, planes in enumerate(channels.values()):
            for index, plane in enumerate(planes):
                np.multiply(plane, STEPS, out=steps)
                images[index, number] = np.rint(steps, out=steps)
        if weights is None:
            return cls(names, images, None, np.ones(1, np.float32), limits, spacing_mm)
        table = np.unique(weights)
        if len(table) > _MOST_WEIGHTS:
            raise ConfigError(
                None, "too many different weights", key="regions.weights", found=len(table), expected=_MOST_WEIGHTS,
                fix="give regions equal weights",
            )  # fmt: skip
        if len(table) == 1:
            return cls(names, images, None, table, limits, spacing_mm)
        return cls(names, images, np.searchsorted(table, weights).astype(np.uint8), table, limits, spacing_mm)

    @property
    def weight_sums(self) -> list[float]:
        """Sum of the weights of every slice."""
        if self.weights is None:
            return [float(self.table[0]) * self.images[0, 0].size] * len(self.images)
        counts = (np.bincount(plane.ravel(), minlength=len(self.table)) for plane in self.weights)
        return [float(count @ self.table.astype(np.float64)) for count in counts]


def as_mapped(images: NDArray[np.int16]) -> NDArray[np.float32]:
    """Stored values as what the network sees, within [-1, 1].

    Examples:
        >>> as_mapped(np.array([-32767, 0, 32767], np.int16)).tolist()
        [-1.0, 0.0, 1.0]
    """
    mapped: NDArray[np.float32] = np.divide(images, np.float32(STEPS), dtype=np.float32)  # in one pass
    return mapped
