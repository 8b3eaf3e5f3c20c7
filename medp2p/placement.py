"""Masks on a scan's own lattice that cover a part of it: where they belong in it, or why they do not."""

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medp2p.affine import CORNER_TOLERANCE_MM, corner_distance_mm
from medp2p.errors import GeometryError
from medp2p.volume import Volume

logger = logging.getLogger(__name__)
LATTICE_TOLERANCE = 1e-3
"""Voxels; how far from whole the shift of a mask may be, and mm by which its corners may be off then."""


def placed_on(mask: NDArray[Any], affine: ArrayLike, reference: Volume, *, name: str = "mask") -> NDArray[Any]:
    """A label map or mask on the grid of a scan.

    Args:
        mask: Labels, shape (X, Y, Z) of its own grid.
        affine: 4 x 4, RAS+, mm, of the mask.
        reference: The scan.
        name: For messages.

    Returns:
        The mask itself where the grids are one; else, where it lies on the scan's lattice and inside the scan, a map
        of the scan's shape that is 0 where the mask says nothing. The log tells of it.

    Raises:
        GeometryError: Every other difference.

    Examples:
        >>> scan = Volume(np.zeros((4, 4, 4)), np.eye(4))
        >>> part = np.eye(4)
        >>> part[:3, 3] = 1
        >>> int(placed_on(np.ones((2, 2, 2), np.uint8), part, scan)[1:3, 1:3, 1:3].sum())
        8
    """
    matrix = np.asarray(affine, float)
    if mask.shape == reference.shape:
        apart = corner_distance_mm(reference.shape, matrix, reference.affine)
        if apart <= CORNER_TOLERANCE_MM:
            return mask
    shift = np.linalg.solve(reference.affine, matrix[:, 3])[:3]
    start = np.rint(shift).astype(int)
    moved = reference.affine.copy()
    moved[:3, 3] = (reference.affine @ np.append(start, 1.0))[:3]
    fits = np.abs(shift - start).max() <= LATTICE_TOLERANCE
    fits = fits and corner_distance_mm(mask.shape, matrix, moved) <= max(LATTICE_TOLERANCE, CORNER_TOLERANCE_MM)
    stop = start + mask.shape
    if not fits or (start < 0).any() or (stop > reference.shape).any():
        raise GeometryError(
            None,
            f"the {name} lies on another grid than the scan",
            found=describe_grid(mask.shape, matrix),
            expected=describe_grid(reference.shape, reference.affine),
            fix="resample it onto the scan with nearest neighbours",
        )
    whole = np.zeros(reference.shape, mask.dtype)
    whole[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = mask
    logger.info("the %s covers %s of %s voxels of the scan: placed at %s", name, mask.shape, reference.shape, start)
    return whole


def describe_grid(shape: tuple[int, ...], affine: NDArray[np.float64]) -> str:
    """A grid in words: shape, spacing and origin."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    size, mm, origin = (" x ".join(f"{value:.6g}" for value in values) for values in (shape, spacing, affine[:3, 3]))
    return f"{size} voxels of {mm} mm from {origin.replace(' x ', ', ')}"
