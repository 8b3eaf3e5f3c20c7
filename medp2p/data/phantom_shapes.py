"""What synthetic heads are built of: points in space, smooth random fields, and distances to simple bodies.

Points are in millimetres from the middle of the skull, RAS+: x to the right, y to the front, z to the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


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


def ellipsoid(p: Points, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Floats:
    """About the distance in mm to an ellipsoid, negative inside (first order, as in Quilez, Distance functions)."""
    x, y, z = ((axis - np.float32(c)) / np.float32(r) for axis, c, r in zip(p, centre, radii, strict=True))
    radius = np.sqrt(x * x + y * y + z * z)
    x, y, z = (axis / np.float32(r) for axis, r in zip((x, y, z), radii, strict=True))
    slope = np.sqrt(x * x + y * y + z * z)
    distance: Floats = radius * (radius - 1) / np.maximum(slope, np.float32(1e-6))
    return distance


def capsule(p: Points, start: tuple[float, float, float], end: tuple[float, float, float], radius: float) -> Floats:
    """The distance in mm to a rod with round ends, negative inside."""
    ax, ay, az = (np.float32(e - s) for s, e in zip(start, end, strict=True))
    x, y, z = (axis - np.float32(s) for axis, s in zip(p, start, strict=True))
    along = np.clip((x * ax + y * ay + z * az) / (ax * ax + ay * ay + az * az), 0, 1)
    distance: Floats = np.sqrt((x - along * ax) ** 2 + (y - along * ay) ** 2 + (z - along * az) ** 2)
    return distance - np.float32(radius)


def blend(first: Floats, second: Floats, width_mm: float) -> Floats:
    """The union of two bodies with the edge between them rounded over `width_mm`."""
    share = np.maximum(np.float32(width_mm) - np.abs(first - second), 0) / np.float32(width_mm)
    union: Floats = np.minimum(first, second) - share * share * np.float32(width_mm / 4)
    return union
