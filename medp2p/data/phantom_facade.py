"""A synthetic façade: a map of its parts, and the picture that brick, glass, wood and light make of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]
Colours = NDArray[np.uint8]

PARTS: Final[Mapping[int, str]] = {1: "sky", 2: "wall", 3: "window", 4: "door", 5: "cornice", 6: "balcony"}
"""The name of each label."""
_DRAWN: Final = np.array(
    [[0, 0, 0], [0, 85, 255], [0, 0, 170], [0, 170, 255], [255, 170, 0], [170, 255, 85], [255, 85, 0]], np.uint8
)
"""The colour of each label in the drawing."""
_BRICK_ROWS: Final = 32
"""Rows of bricks from the top of a picture to its bottom."""
_NOISE: Final = 3.0
"""Grey levels: spread of what no network can know."""


@dataclass(frozen=True, eq=False)
class Facade:
    """One synthetic façade.

    Attributes:
        regions: Labels of `PARTS`, shape (H, W).
        drawing: The same in colours, shape (H, W, 3).
        photo: What it looks like, shape (H, W, 3).
    """

    regions: Labels
    drawing: Colours
    photo: Colours


def facade(seed: int | tuple[int, ...], *, size: int = 256) -> Facade:
    """A synthetic façade; the same seed gives the same pixels.

    The photograph follows from the drawing but for a little noise, so that it can be learnt within minutes: light
    falls from the left, windows have frames, a sky in their glass and a shadow beneath the lintel, bricks lie in rows.

    Args:
        seed: Not negative, or several such numbers.
        size: Height and width in pixels.

    Examples:
        >>> front = facade(0, size=64)
        >>> front.regions.shape, front.photo.shape, bool((front.regions == 4).any())
        ((64, 64), (64, 64, 3), True)
    """
    layout, noise = (np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(2))
    regions = _parts(layout, size)
    return Facade(regions, _DRAWN[regions], _lit(regions, noise))


def _parts(rng: np.random.Generator, size: int) -> Labels:
    """Floors of windows between a cornice under the sky and a door at the street."""
    labels = np.full((size, size), 1, np.uint8)

    def fill(label: int, top: float, left: float, bottom: float, right: float) -> None:
        rows, columns = (slice(round(a * size), round(b * size)) for a, b in ((top, bottom), (left, right)))
        labels[rows, columns] = label

    roof, side = rng.uniform(0.06, 0.18), rng.uniform(0.0, 0.08)
    fill(2, roof, side, 1.0, 1.0 - side)
    fill(5, roof, max(0.0, side - 0.02), roof + 0.05, min(1.0, 1.02 - side))
    floors, axes = int(rng.integers(3, 6)), int(rng.integers(3, 7))
    step, pitch = (0.98 - roof) / (floors + 0.1), (1.0 - 2 * side) / axes
    wide, tall, entrance = rng.uniform(0.4, 0.65) * pitch, rng.uniform(0.5, 0.65) * step, int(rng.integers(axes))
    for floor in range(floors):
        top = roof + 0.08 + floor * step
        for axis in range(axes):
            left = side + pitch * (axis + 0.5) - wide / 2
            if floor == floors - 1 and axis == entrance:
                fill(4, top, left, 1.0, left + wide)
                continue
            fill(3, top, left, top + tall, left + wide)
            if rng.random() < 0.3 and floor < floors - 1:
                fill(6, top + 0.7 * tall, left - 0.1 * wide, top + tall, left + 1.1 * wide)
    return labels


def _lit(regions: Labels, rng: np.random.Generator) -> Colours:
    """The parts in their materials, in the light of a morning."""
    size = len(regions)
    down, right = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size), indexing="ij")
    look = np.zeros((size, size, 3))
    sky = np.stack([120 + 90 * down, 165 + 60 * down, 225 + 15 * down], axis=-1)
    plain = {2: (172, 98, 74), 4: (96, 62, 38), 5: (214, 202, 180), 6: (70, 74, 78)}
    look[regions == 1] = sky[regions == 1]
    look[regions == 3] = (0.55 * sky + 20)[regions == 3]
    for label, colour in plain.items():
        look[regions == label] = colour
    row = np.floor(down * _BRICK_ROWS).astype(int)
    across = right * _BRICK_ROWS / 2 + 0.5 * (row % 2)
    mortar = (down * _BRICK_ROWS % 1 < 0.2) | (across % 1 < 0.1)
    look[(regions == 2) & mortar] += (40, 50, 55)
    look[(regions == 4) & (right * 64 % 1 < 0.25)] -= 22
    look[(regions == 6) & (right * 48 % 1 < 0.5)] += 70
    frame = _rim(regions, 3, max(1, size // 100))
    look[frame] = (232, 228, 214)
    shadow = (regions == 3) & ~frame & (np.roll(regions, max(1, size // 40), axis=0) != 3)
    look[shadow] *= 0.45
    look *= (1.05 - 0.25 * right)[:, :, None]
    look += rng.normal(0, _NOISE, look.shape)
    return np.clip(np.rint(look), 0, 255).astype(np.uint8)


def _rim(regions: Labels, label: int, width: int) -> NDArray[np.bool_]:
    """The pixels of a label that lie at its border."""
    inside = regions == label
    moved = [np.roll(inside, shift, axis) for axis in (0, 1) for shift in (-width, width)]
    return np.asarray(inside & ~np.logical_and.reduce(moved))
