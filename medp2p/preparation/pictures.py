"""Quality pictures: two scans as a checkerboard, and the outlines of one on the other, in three planes, in mm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from medp2p.affine import axis_order
from medp2p.preparation.masks import BONE_HU
from medp2p.preparation.pyramid import Scan

SIDE_PX = 300
"""Of the square that every plane is drawn in."""
SQUARES = 8
"""Of the checkerboard along a side."""
CT_WINDOW_HU = (-200.0, 1000.0)
MR_PERCENTS = (1.0, 99.5)
SKIN, INNER, MARK = (0, 220, 255), (255, 190, 0), (255, 255, 255)
"""Colours of the outlines of the body and of what is bright in it, and of letters."""
PLANES = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
"""The RAS axes that run across and up; 0 and 1 are drawn from right and from front."""
_SIDES = {"axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"), "sagittal": ("A", "P", "S", "I")}

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Panels:
    """The three planes of a pair, each (H, W), rows from above and columns from the left of the picture."""

    fixed: tuple[Grey, ...]
    moved: tuple[Grey, ...]
    body: tuple[Mask, ...]
    inner: tuple[Mask, ...]


def quality_picture(fixed: Scan, moved: Scan) -> Image.Image:
    """A checkerboard of two scans above the outlines of the fixed one on the moved one.

    Planes pass through the middle of the body; superior or anterior is up, the patient's left at the right, and in
    the sagittal plane the front is at the left.

    Args:
        fixed: The scan that stayed.
        moved: The other on its grid.
    """
    panels = _panels(fixed, moved)
    boards = [
        _lettered(_checkered(a, b), plane) for a, b, plane in zip(panels.fixed, panels.moved, PLANES, strict=True)
    ]
    outlines = [
        _lettered(_outlined(grey, body, inner), plane)
        for grey, body, inner, plane in zip(panels.moved, panels.body, panels.inner, PLANES, strict=True)
    ]
    return _mounted([boards, outlines])


def plane_of(array: NDArray[np.uint8], spacing_mm: Sequence[float], at: Sequence[int], plane: str) -> Image.Image:
    """One plane of an array in RAS order as a picture in millimetres, as large as the square allows.

    Args:
        array: Shape (X, Y, Z), uint8.
        spacing_mm: Along each axis.
        at: A voxel that the plane passes through.
        plane: `axial`, `coronal` or `sagittal`.
    """
    across, up = PLANES[plane]
    through = ({0, 1, 2} - {across, up}).pop()
    cut = np.take(array, [at[through]], axis=through).squeeze(through).T[::-1, ::-1]
    across_mm, up_mm = cut.shape[1] * spacing_mm[across], cut.shape[0] * spacing_mm[up]
    scale = SIDE_PX / max(array.shape[axis] * spacing_mm[axis] for axis in range(3))
    size = max(1, round(across_mm * scale)), max(1, round(up_mm * scale))
    return Image.fromarray(np.ascontiguousarray(cut)).resize(size, Image.Resampling.BILINEAR)


def _panels(fixed: Scan, moved: Scan) -> Panels:
    volume = fixed.volume
    spacing = [volume.spacing_mm[axis] for axis in axis_order(volume.affine)[0]]
    body = volume.with_voxels(fixed.body).to_ras() > 0
    at = _middle(body)
    grey_fixed, grey_moved = _grey(fixed), _grey(moved)
    inner = (volume.to_ras() > BONE_HU) if fixed.hu else grey_fixed > _bright_above(grey_fixed[body])

    def cut(array: NDArray[np.uint8]) -> tuple[Grey, ...]:
        return tuple(np.asarray(plane_of(array, spacing, at, plane)) for plane in PLANES)

    def cut_mask(mask: Mask) -> tuple[Mask, ...]:
        return tuple(plane > 127 for plane in cut(mask.astype(np.uint8) * 255))

    return Panels(cut(grey_fixed), cut(grey_moved), cut_mask(body), cut_mask(inner))


def _middle(body: Mask) -> list[int]:
    if not body.any():
        return [n // 2 for n in body.shape]
    return [
        int(np.average(np.arange(n), weights=body.sum(tuple(other for other in range(3) if other != axis))))
        for axis, n in enumerate(body.shape)
    ]


def _grey(scan: Scan) -> Grey:
    values = scan.volume.to_ras().astype(np.float32)
    low, high = CT_WINDOW_HU if scan.hu else np.percentile(values, MR_PERCENTS)
    return (np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def _bright_above(values: Grey) -> float:
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(values)) if values.size and values.min() < values.max() else 255.0


def _checkered(first: Grey, second: Grey) -> Image.Image:
    rows, columns = (np.arange(n) * SQUARES // SIDE_PX for n in first.shape)
    return Image.fromarray(np.where((rows[:, None] + columns) % 2 == 0, first, second)).convert("RGB")


def _outlined(grey: Grey, *masks: Mask) -> Image.Image:
    from scipy import ndimage

    picture = np.repeat(grey[:, :, None], 3, axis=2)
    for mask, colour in zip(reversed(masks), (INNER, SKIN), strict=True):
        picture[mask & ~ndimage.binary_erosion(mask, border_value=1)] = colour
    return Image.fromarray(picture)


def _lettered(plane: Image.Image, name: str) -> Image.Image:
    """The plane in the middle of its square, its sides marked."""
    square = Image.new("RGB", (SIDE_PX, SIDE_PX))
    square.paste(plane, ((SIDE_PX - plane.width) // 2, (SIDE_PX - plane.height) // 2))
    draw, middle, edge = ImageDraw.Draw(square), SIDE_PX // 2, 8
    places = (edge, middle), (SIDE_PX - edge, middle), (middle, edge), (middle, SIDE_PX - edge)
    for letter, place in zip(_SIDES[name], places, strict=True):
        draw.text(place, letter, fill=MARK, anchor="mm", stroke_width=1, stroke_fill=(0, 0, 0), font_size=14)
    return square


def _mounted(rows: list[list[Image.Image]]) -> Image.Image:
    gap = 4
    size = (SIDE_PX + gap) * len(rows[0]) - gap, (SIDE_PX + gap) * len(rows) - gap
    picture = Image.new("RGB", size, (60, 60, 60))
    for row, panels in enumerate(rows):
        for column, panel in enumerate(panels):
            picture.paste(panel, (column * (SIDE_PX + gap), row * (SIDE_PX + gap)))
    return picture
