"""From a configuration to the description that a model file carries."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from medp2p.config import Config
from medp2p.translation.description import Architecture, ChannelMap, Description, Preparation

if TYPE_CHECKING:
    from medp2p.device import Precision

logger = logging.getLogger(__name__)

_UNKNOWN_LIMITS = (0.0, 1.0)
"""What a percentile target is undone with where no cohort says what its values were."""


def describe(config: Config, *, limits: Mapping[str, tuple[float, float]], precision: "Precision") -> Description:
    """All that translating needs of a configuration.

    Args:
        config: The configuration of a run.
        limits: For each percentile target the training cohort's median limits, in the scans' units.
        precision: In which the model is validated.
    """
    data, preparation, generator = config.data, config.preparation, config.generator
    undone = {name: limits.get(name) for name in data.target if config.intensity[name].kind == "percentile"}
    for name in (name for name, found in undone.items() if found is None):
        undone[name] = _UNKNOWN_LIMITS
        logger.warning("%s comes back in values from 0 to 1: no cohort says what they were", name)
    listed = data.cases is not None or data.layout != "folders"
    return Description(
        generator=Architecture(
            kind=generator.kind, channels=generator.channels, norm=generator.norm, dropout=generator.dropout
        ),
        sources=data.sources,
        targets=data.target,
        files={name: f"{name}.*" if listed else data.file_of(name) for name in data.images},
        preparation=Preparation(
            plane=preparation.plane,
            spacing_mm=preparation.spacing_mm,
            context_slices=preparation.context_slices,
            resize=preparation.size if preparation.resize else None,
        ),
        intensity={
            name: ChannelMap(kind=entry.kind, low=entry.low, high=entry.high, hu=entry.hu, limits=undone.get(name))
            for name, entry in config.intensity.items()
        },
        precision=precision,
        habit=generator.habit,
        bits=dict(data.bits),
        side_by_side=data.side_by_side,
    )
