"""Which functions compute the maps of SSIM and MS-SSIM: numba's where that is installed and the scan is worth it."""

import importlib.util
from dataclasses import dataclass
from typing import Final, Protocol

from medp2p.evaluation import metrics
from medp2p.evaluation.metrics import Array, Floats

WORTH_COMPILING: Final = 8_000_000
"""Voxels; below, a first run would wait longer for numba than all others together would save."""


class Map(Protocol):
    """A map of two images."""

    def __call__(self, first: Array, second: Array, *, data_range: float) -> Floats:
        """The map where windows are complete."""
        ...


@dataclass(frozen=True)
class Maps:
    """Both maps.

    Attributes:
        ssim: As `metrics.ssim_map`.
        terms: As `metrics.three_terms`.
    """

    ssim: Map
    terms: Map


def maps_for(voxels: int) -> Maps:
    """The maps for a scan of so many voxels.

    Examples:
        >>> maps_for(1000).ssim is metrics.ssim_map
        True
    """
    if voxels < WORTH_COMPILING or importlib.util.find_spec("numba") is None:
        return Maps(metrics.ssim_map, metrics.three_terms)
    from medp2p.evaluation import compiled

    return Maps(compiled.ssim_map, compiled.three_terms)
