"""The synthetic patient: the tissues a head is made of, and everything in which one head differs from another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from medp2p.data.phantom_shapes import Waves

Tissues = NDArray[np.uint8]
"""Numbers of `Tissue`."""


class Tissue(IntEnum):
    """What a voxel is made of; finer than the regions that are scored."""

    OUTSIDE = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    MUCOSA = 4
    FLUID = 5
    EYE = 6
    LENS = 7
    NERVE = 8
    AIR = 9
    COMPACT_BONE = 10
    SPONGY_BONE = 11
    DENSE_BONE = 12
    TOOTH = 13
    CSF = 14
    GREY = 15
    WHITE = 16
    OEDEMA = 17
    LESION = 18


@dataclass(frozen=True)
class Lesion:
    """A ball with an uneven surface."""

    centre: tuple[float, float, float]  # mm
    radius: float  # mm


@dataclass(frozen=True)
class Patient:
    """Everything in which one head differs from another; lengths in mm."""

    cavity: tuple[float, float, float]  # semi-axes of the space inside the skull
    skull: float  # thickness
    scalp: float  # skin and fat over the skull
    fat: float
    nose: float  # how far it stands out
    face: float  # relative width
    gap: float  # fluid between skull and brain
    ventricles: float  # relative size
    left_ventricle: float  # and how much larger the left one is
    fluid_level: float  # height of the fluid in the right maxillary sinus
    lesions: tuple[Lesion, ...]  # the first is the large one, always in the left hemisphere
    folds: Waves
    cells: Waves
    grain: Waves

    @property
    def side(self) -> float:
        """Half the width of the head at the height of the ears."""
        return 0.86 * (self.cavity[0] + self.skull + self.scalp)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Patient:
        """A patient of average build, give or take."""
        size = rng.normal(1.0, 0.02)
        large = Lesion((-rng.uniform(30, 40), rng.uniform(-28, 18), rng.uniform(16, 30)), rng.uniform(9, 12.5))
        small = tuple(
            Lesion((side * rng.uniform(19, 30), rng.uniform(-35, 28), rng.uniform(6, 30)), rng.uniform(3, 5))
            for side in rng.choice([-1.0, 1.0], rng.integers(2, 6))
        )
        return cls(
            cavity=(66 * size * rng.normal(1, 0.02), 80 * size * rng.normal(1, 0.02), 66 * size * rng.normal(1, 0.02)),
            skull=rng.uniform(5.5, 8.5),
            scalp=rng.uniform(5.0, 8.0),
            fat=rng.uniform(2.0, 4.5),
            nose=rng.uniform(14, 19),
            face=rng.uniform(0.93, 1.07),
            gap=rng.uniform(1.5, 4.5),
            ventricles=rng.uniform(0.8, 1.3),
            left_ventricle=rng.uniform(1.3, 1.55),
            fluid_level=rng.uniform(-64, -54),
            lesions=(large, *small),
            folds=Waves.draw(rng, 21.0, count=9),
            cells=Waves.draw(rng, 8.0),
            grain=Waves.draw(rng, 14.0),
        )
