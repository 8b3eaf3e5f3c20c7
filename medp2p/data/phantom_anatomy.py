"""The anatomy of a synthetic head: which tissue lies at which point, drawn anew for every patient.

Points are in millimetres from the middle of the skull, RAS+: x to the right, y to the front, z to the top. Everything
is a function of points alone, so that a head can be sampled on any grid without resampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


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


class Points(NamedTuple):
    """Coordinates in mm, three arrays of one shape."""

    x: Floats
    y: Floats
    z: Floats

    def mirrored(self) -> Points:
        """The same points with left folded onto right: what is drawn there comes in pairs."""
        return Points(np.abs(self.x), self.y, self.z)

    def at(self, where: Mask) -> Points:
        """The points where `where` holds, one-dimensional."""
        return Points(self.x[where], self.y[where], self.z[where])


@dataclass(frozen=True)
class Waves:
    """A smooth random field over space: a sum of plane waves, with mean 0 and standard deviation 1."""

    vectors: Floats  # (waves, 3), radians per mm
    phases: Floats  # (waves,)

    @classmethod
    def draw(cls, rng: np.random.Generator, wavelength_mm: float, count: int = 7) -> Waves:
        """A field whose hills and valleys lie about `wavelength_mm` apart."""
        directions = rng.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        vectors = directions * (2 * np.pi / wavelength_mm) * rng.uniform(0.75, 1.3, (count, 1))
        return cls(vectors.astype(np.float32), rng.uniform(0, 2 * np.pi, count).astype(np.float32))

    def __call__(self, p: Points) -> Floats:
        """The field at the points."""
        total = np.zeros(np.shape(p.x), np.float32)
        for (kx, ky, kz), phase in zip(self.vectors, self.phases, strict=True):
            total += np.cos(kx * p.x + ky * p.y + kz * p.z + phase)
        return total * np.float32(np.sqrt(2 / len(self.phases)))


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


def tissues(p: Points, patient: Patient) -> NDArray[np.uint8]:
    """The tissue at every point.

    Args:
        p: Points of one shape, in mm, RAS+ from the middle of the skull.
        patient: Whose head.

    Returns:
        Numbers of `Tissue`, in the points' shape.
    """
    surface = _surface(p, patient)
    inside = surface < 0
    inner = p.at(inside)
    depth = -surface[inside]
    skull = _cavity(inner, patient)
    found = np.full(depth.shape, Tissue.MUSCLE, np.uint8)
    _soft_tissue(found, inner, depth, patient)
    _neck_and_jaw(found, inner)
    _skull(found, inner, depth, skull, patient)
    _face(found, inner, depth, patient)
    _ears(found, inner, patient)
    _brain(found, inner, skull, patient)
    everywhere = np.zeros(np.shape(p.x), np.uint8)
    everywhere[inside] = found
    return everywhere


def _ellipsoid(p: Points, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Floats:
    """About the distance in mm to an ellipsoid, negative inside (first order, as in Quilez, Distance functions)."""
    x, y, z = ((axis - np.float32(c)) / np.float32(r) for axis, c, r in zip(p, centre, radii, strict=True))
    radius = np.sqrt(x * x + y * y + z * z)
    x, y, z = (axis / np.float32(r) for axis, r in zip((x, y, z), radii, strict=True))
    slope = np.sqrt(x * x + y * y + z * z)
    distance: Floats = radius * (radius - 1) / np.maximum(slope, np.float32(1e-6))
    return distance


def _capsule(p: Points, start: tuple[float, float, float], end: tuple[float, float, float], radius: float) -> Floats:
    """The distance in mm to a rod with round ends, negative inside."""
    ax, ay, az = (np.float32(e - s) for s, e in zip(start, end, strict=True))
    x, y, z = (axis - np.float32(s) for axis, s in zip(p, start, strict=True))
    along = np.clip((x * ax + y * ay + z * az) / (ax * ax + ay * ay + az * az), 0, 1)
    distance: Floats = np.sqrt((x - along * ax) ** 2 + (y - along * ay) ** 2 + (z - along * az) ** 2)
    return distance - np.float32(radius)


def _blend(first: Floats, second: Floats, width_mm: float) -> Floats:
    """The union of two bodies with the edge between them rounded over `width_mm`."""
    share = np.maximum(np.float32(width_mm) - np.abs(first - second), 0) / np.float32(width_mm)
    union: Floats = np.minimum(first, second) - share * share * np.float32(width_mm / 4)
    return union


def _surface(p: Points, patient: Patient) -> Floats:
    """Distance to the skin, negative inside the head."""
    both, wide = p.mirrored(), patient.face
    outer = tuple(axis + patient.skull + patient.scalp for axis in patient.cavity)
    surface = _ellipsoid(p, (0, 0, 0), (outer[0], outer[1], outer[2]))
    front = patient.cavity[1]
    surface = _blend(surface, _ellipsoid(p, (0, 42, -62), (56 * wide, front - 30, 62)), 22)
    surface = _blend(surface, _ellipsoid(both, (18, front + 2, -13), (22, 10, 9)), 14)
    neck = np.sqrt((p.x / 56) ** 2 + ((p.y + 20) / 60) ** 2) * 56 - 56
    surface = _blend(surface, np.maximum(neck, p.z + 62), 34)
    tip = front + 14 + patient.nose
    nose = _capsule(p, (0, front + 7, -22), (0, tip - 9, -48), 8)
    nose = _blend(nose, _ellipsoid(both, (7, front + 12, -52), (8, 11, 7)), 8)
    surface = _blend(surface, nose, 9)
    ear = _ellipsoid(both, (patient.side + 3, -24, -34), (6.5, 14, 26))
    return _blend(surface, ear, 4)


def _cavity(p: Points, patient: Patient) -> Floats:
    """Distance to the space that holds the brain, negative inside: an ellipsoid on a base that falls in steps."""
    ramp = np.clip((p.y + 30) / 85, 0, 1)
    base = -62 + 44 * ramp * ramp * (3 - 2 * ramp) + 6 * np.cos(p.x / 14) * (ramp > 0)
    distance: Floats = np.maximum(_ellipsoid(p, (0, 0, 0), patient.cavity), (base - p.z) * np.float32(0.9))
    return distance


def _soft_tissue(found: NDArray[np.uint8], p: Points, depth: Floats, patient: Patient) -> None:
    septa = np.abs(patient.grain(p)) < 0.22
    found[septa & (p.z < -30)] = Tissue.FAT
    thickness = 2 + patient.fat * (1 + 0.25 * patient.folds(p) * (p.z > -40))
    found[depth < thickness] = Tissue.FAT
    cheek = _ellipsoid(p.mirrored(), (42 * patient.face, 58, -66), (14, 18, 20)) < 0
    found[cheek] = Tissue.FAT
    found[depth < 1.9] = Tissue.SKIN


def _neck_and_jaw(found: NDArray[np.uint8], p: Points) -> None:
    both = p.mirrored()
    ramus = _capsule(both, (50, 10, -58), (46, 26, -110), 7)
    found[ramus < 0] = Tissue.COMPACT_BONE
    found[ramus < -2.2] = Tissue.SPONGY_BONE
    ring = np.sqrt((p.x / 1.2) ** 2 + (p.y + 31) ** 2)
    vertebra = (ring < 18) & (p.z < -76) & (np.mod(p.z + 76, 17) < 13)
    mass = _ellipsoid(both, (22, -24, -84), (11, 11, 7))
    found[vertebra | (mass < 0)] = Tissue.COMPACT_BONE
    found[(vertebra & (ring < 15.5)) | (mass < -2.2)] = Tissue.SPONGY_BONE
    arch = np.sqrt((p.x / 27) ** 2 + ((p.y - 44) / 40) ** 2) * 32
    teeth = (np.abs(arch - 32) < 4) & (p.y > 44) & (p.z < -79)
    found[teeth] = Tissue.SPONGY_BONE
    crowns = teeth & (p.z < -83) & (np.mod(np.arctan2(p.x, p.y - 44) * 6.5 + 0.5, 1) < 0.8)
    found[crowns] = Tissue.TOOTH


def _skull(found: NDArray[np.uint8], p: Points, depth: Floats, skull: Floats, patient: Patient) -> None:
    thickness = patient.skull * (1 + 0.1 * patient.grain(p) + 0.25 * (p.y < -60) + 0.15 * (p.z < -20))
    bone = (skull < thickness) & (depth > 2.6)
    table = 1.7 + 0.1 * thickness
    found[bone] = Tissue.COMPACT_BONE
    found[bone & (skull > table) & (skull < thickness - table)] = Tissue.SPONGY_BONE
    pyramid = _capsule(p.mirrored(), (16, 2, -44), (54, -24, -44), 9)
    found[pyramid < 0] = Tissue.DENSE_BONE
    mastoid = _ellipsoid(p.mirrored(), (54, -30, -54), (13, 17, 20))
    found[(mastoid < 0) & (depth > 5)] = Tissue.COMPACT_BONE
    found[(mastoid < -2.5) & (patient.cells(p) > 0.1) & (depth > 8)] = Tissue.AIR


def _face(found: NDArray[np.uint8], p: Points, depth: Floats, patient: Patient) -> None:
    both, front = p.mirrored(), patient.cavity[1]
    zygoma = _capsule(both, (30, front - 14, -46), (52 * patient.face, front - 32, -46), 6)
    arch = _capsule(both, (52 * patient.face, front - 32, -46), (62 * patient.face, 2, -42), 4)
    maxilla = _ellipsoid(p, (0, front - 22, -62), (35, 24, 19))
    found[(np.minimum(np.minimum(zygoma, arch), maxilla) < 0) & (depth > 4)] = Tissue.SPONGY_BONE
    found[(np.abs(maxilla) < 1.6) & (depth > 4)] = Tissue.COMPACT_BONE
    bridge = _capsule(p, (0, front + 6, -18), (0, front + 15, -34), 4.5)
    found[(bridge < 0) & (depth > 1.9)] = Tissue.COMPACT_BONE
    _orbits(found, both, depth, front)
    _nose_and_throat(found, p, depth, patient)
    _sinuses(found, p, depth, patient)


def _orbits(found: NDArray[np.uint8], both: Points, depth: Floats, front: float) -> None:
    orbit = _ellipsoid(both, (30, front - 20, -32), (17, 31, 17))
    found[(orbit < 2.4) & (depth > 4)] = Tissue.COMPACT_BONE
    found[(orbit < 0) & (depth > 1.9)] = Tissue.FAT
    eye = _ellipsoid(both, (31, front - 5, -32), (12.3, 12.3, 12.3))
    muscle = np.hypot(both.x - 29, both.z + 32)
    found[
        (np.abs(muscle - 11) < 1.6)
        & (np.abs(np.sin(2 * np.arctan2(both.z + 32, both.x - 29))) < 0.5)
        & (orbit < -1)
        & (eye > 0)
    ] = Tissue.MUSCLE
    found[_capsule(both, (31, front - 16, -32), (12, 30, -30), 2.4) < 0] = Tissue.NERVE
    found[eye < 1.2] = Tissue.MUCOSA
    found[eye < 0] = Tissue.EYE
    found[_ellipsoid(both, (31, front + 4, -32), (4.5, 2.6, 4.5)) < 0] = Tissue.LENS


def _nose_and_throat(found: NDArray[np.uint8], p: Points, depth: Floats, patient: Patient) -> None:
    front = patient.cavity[1]
    nasal = _ellipsoid(p, (0, front - 16, -52), (13, 35, 19))
    found[(nasal < 2) & (depth > 2.5)] = Tissue.COMPACT_BONE
    found[(nasal < 0) & (depth > 2.5)] = Tissue.MUCOSA
    turbinates = np.hypot(np.abs(p.x) - 8, np.mod(p.z + 52 + 5.5, 11) - 5.5)
    found[(nasal < -1.5) & (depth > 4) & (turbinates > 3.8) & (np.abs(p.x) > 1.6)] = Tissue.AIR
    throat = _capsule(p, (0, 34, -60), (0, 12, -104), 9)
    found[throat < 2] = Tissue.MUCOSA
    found[throat < 0] = Tissue.AIR
    palate = (np.abs(p.z + 73) < 2.6) & (_ellipsoid(p, (0, front - 26, -73), (24, 26, 20)) < 0)
    found[palate] = Tissue.COMPACT_BONE


def _sinuses(found: NDArray[np.uint8], p: Points, depth: Floats, patient: Patient) -> None:
    both, front = p.mirrored(), patient.cavity[1]
    maxillary = _ellipsoid(both, (26, front - 22, -60), (12, 16, 15))
    frontal = _ellipsoid(both, (11, front + patient.skull * 0.45, -8), (10.5, 4.8, 12))
    sphenoid = _ellipsoid(both, (8, 24, -46), (7.5, 11, 8.5))
    for sinus in (maxillary, frontal, sphenoid):
        found[(sinus < 2.2) & (depth > 3)] = Tissue.COMPACT_BONE
        found[(sinus < 0) & (depth > 4)] = Tissue.AIR
    found[(maxillary < 0) & (p.x > 0) & (p.z < patient.fluid_level)] = Tissue.FLUID
    ethmoid = _ellipsoid(p, (0, front - 26, -34), (11, 22, 9))
    walls = np.minimum(np.abs(np.mod(p.x + 4.5, 9) - 4.5), np.abs(np.mod(p.y, 9) - 4.5))
    found[ethmoid < 0] = Tissue.COMPACT_BONE
    found[(ethmoid < -1) & (walls > 1.1)] = Tissue.AIR


def _ears(found: NDArray[np.uint8], p: Points, patient: Patient) -> None:
    both, side = p.mirrored(), patient.side
    canal = _capsule(both, (side + 12, -18, -38), (46, -12, -38), 3.4)
    found[(canal < 3.5) & (both.x < side - 9)] = Tissue.DENSE_BONE
    found[(canal < 2.2) & (both.x >= side - 9)] = Tissue.SKIN
    found[canal < 0] = Tissue.AIR
    found[_ellipsoid(both, (43, -10, -40), (5, 6, 7)) < 0] = Tissue.AIR


def _brain(found: NDArray[np.uint8], p: Points, skull: Floats, patient: Patient) -> None:
    """Everything inside the skull, and the cord that leaves it."""
    canal = _capsule(p, (0, -26, -56), (0, -34, -112), 9.5)
    cord = _capsule(p, (0, -24, -50), (0, -34, -112), 5.5)
    found[canal < 0] = Tissue.CSF
    found[cord < 0] = Tissue.WHITE
    inside = skull < 0
    inner = p.at(inside)
    brain = np.full(inner.x.shape, Tissue.CSF, np.uint8)
    depth = -skull[inside] - np.float32(patient.gap)
    stem = np.minimum(_capsule(inner, (0, -10, -22), (0, -26, -66), 11), _ellipsoid(inner, (0, -6, -44), (16, 13, 13)))
    tent = inner.z + 10 + 0.55 * np.abs(inner.x) - 0.12 * (inner.y + 40)
    below = (inner.y < -8) & (tent < 0)
    _cerebrum(brain, inner, np.where(below, -1, depth), patient)
    folia = np.cos(depth * np.float32(2 * np.pi / 5.5))
    cerebellum = below & (depth > 0) & (tent < -2) & (stem > 1.2)
    brain[cerebellum] = Tissue.GREY
    brain[cerebellum & (depth > 4) & (folia > 0.2)] = Tissue.WHITE
    brain[(_ellipsoid(inner.mirrored(), (14, -44, -40), (12, 12, 8)) < 0) & cerebellum] = Tissue.WHITE
    brain[stem < 0] = Tissue.WHITE
    brain[_ellipsoid(inner, (0, -28, -42), (6, 4.5, 9)) < 0] = Tissue.CSF
    _lesions(brain, inner, patient)
    found[inside] = brain


def _cerebrum(brain: NDArray[np.uint8], p: Points, depth: Floats, patient: Patient) -> None:
    both, folds = p.mirrored(), np.abs(patient.folds(p))
    inside = depth > 0
    brain[inside] = Tissue.WHITE
    brain[inside & ((depth < 3.4) | ((folds < 0.8) & (depth < 21)))] = Tissue.GREY
    callosum = _ellipsoid(p, (0, -4, 6), (14, 44, 22)) < 0
    brain[inside & (both.x < 5) & ~callosum & (depth > 3)] = Tissue.GREY
    for centre, radii in (((12, -10, -1), (8, 13, 8)), ((27, 4, 1), (6, 17, 10)), ((15, 18, 4), (6, 10, 9))):
        brain[inside & (_ellipsoid(both, centre, radii) < 0)] = Tissue.GREY
    brain[inside & (folds < 0.17) & (depth < 16)] = Tissue.CSF
    brain[inside & (both.x < 1.4) & ~callosum] = Tissue.CSF
    sylvian = np.abs(p.z + 6 - 0.25 * p.y + 1.5 * patient.grain(p)) < 1.3
    brain[inside & sylvian & (both.x > 38) & (p.y > -30) & (p.y < 34)] = Tissue.CSF
    brain[inside & (_ventricles(p, patient) < 0)] = Tissue.CSF


def _ventricles(p: Points, patient: Patient) -> Floats:
    both = p.mirrored()
    size = np.where(p.x < 0, np.float32(patient.left_ventricle), np.float32(1)) * np.float32(patient.ventricles)
    shapes = (((10, -4, 15), (5.5, 26, 6)), ((13, 24, 9), (6, 12, 7)), ((21, -42, 6), (5, 17, 5.5)))
    shapes += (((30, -14, -16), (3, 13, 3)),)
    third = _ellipsoid(p, (0, -3, -4), (2.8, 12, 9))
    lateral = [_ellipsoid(both, centre, radii) - (size - 1) * np.float32(min(radii)) for centre, radii in shapes]
    nearest: Floats = np.minimum.reduce([third, *lateral])
    return nearest


def _lesions(brain: NDArray[np.uint8], p: Points, patient: Patient) -> None:
    uneven = patient.grain(p)
    solid = (brain == Tissue.WHITE) | (brain == Tissue.GREY)
    for number, lesion in enumerate(patient.lesions):
        x, y, z = lesion.centre
        distance = np.sqrt((p.x - x) ** 2 + (p.y - y) ** 2 + (p.z - z) ** 2) - lesion.radius + 0.9 * uneven
        rim = 6.0 if number == 0 else 2.0
        brain[solid & (distance < rim)] = Tissue.OEDEMA
        brain[distance < 0] = Tissue.LESION
