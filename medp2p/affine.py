"""The affine of a grid: which there can be, where its axes point, how far apart two of them put the same grid."""

from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medp2p.errors import GeometryError

CORNER_TOLERANCE_MM = 1e-3
"""Two grids are one where no corner moves by more than this."""
LARGEST_MM = 1e9
"""No scan lies a thousand kilometres away: an affine with such a number is damaged."""
VOXEL_MM = (1e-3, 1e3)
"""Between these lies every voxel size of a scan, from a microscope's to one slab through a whole body."""


def axis_order(affine: ArrayLike) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which axis of an array is nearest to right, anterior and superior, and whether it runs the other way.

    Args:
        affine: 4 x 4, RAS+.

    Returns:
        The axis of the array for each of R, A, S, and a flag for each of R, A, S.

    Examples:
        >>> axis_order(np.diag([-1.0, 1.0, 1.0, 1.0]))
        ((0, 1, 2), (True, False, False))
    """
    matrix = np.asarray(affine, float)[:3, :3]
    cosines = matrix / np.linalg.norm(matrix, axis=0)
    strength = np.abs(cosines).round(9)
    order = max(permutations(range(3)), key=lambda axes: float(sum(strength[w, a] for w, a in enumerate(axes))))
    r, a, s = (int(axis) for axis in order)
    return (r, a, s), (bool(cosines[0, r] < 0), bool(cosines[1, a] < 0), bool(cosines[2, s] < 0))


def corner_distance_mm(shape: tuple[int, ...], first: ArrayLike, second: ArrayLike) -> float:
    """How far apart two affines put the outer corners of a grid, at most, in mm.

    Outer corners, half a voxel beyond the centres: so the spacing counts where an axis has a single voxel.

    Examples:
        >>> corner_distance_mm((1, 2, 2), np.eye(4), np.diag([1.5, 1.0, 1.0, 1.0]))
        0.25
    """
    corners = np.array([(*corner, 1.0) for corner in product(*((-0.5, n - 0.5) for n in shape))])
    moved = corners @ (np.asarray(first, float) - np.asarray(second, float)).T
    return float(np.linalg.norm(moved[:, :3], axis=1).max())


def is_orthogonal(affine: ArrayLike, tolerance: float = 1e-4) -> bool:
    """Whether the axes of a grid are at right angles, up to a cosine of `tolerance`."""
    matrix = np.asarray(affine, float)[:3, :3]
    cosines = matrix / np.linalg.norm(matrix, axis=0)
    return bool(np.abs(cosines.T @ cosines - np.eye(3)).max() <= tolerance)


def sides_agree(first: ArrayLike, second: ArrayLike) -> bool:
    """Whether two affines of one array put left and right alike: one handedness, one way along the body's width.

    Examples:
        >>> mirrored = np.diag([-1.0, 1.0, 1.0, 1.0])
        >>> sides_agree(np.eye(4), 2 * np.eye(4)), sides_agree(np.eye(4), mirrored)
        (True, False)
    """
    a, b = (np.asarray(affine, float)[:3, :3] for affine in (first, second))
    a, b = (matrix / np.linalg.norm(matrix, axis=0) for matrix in (a, b))
    across = int(np.abs(a[0]).argmax())
    return bool(np.linalg.det(a) * np.linalg.det(b) > 0 and a[0, across] * b[0, across] >= 0)


def checked_affine(affine: ArrayLike) -> NDArray[np.float64]:
    """The affine as float64, or a GeometryError that says why it is none."""
    matrix = np.array(affine, dtype=np.float64)
    if matrix.shape != (4, 4):
        raise GeometryError(
            None, "the affine is no 4 x 4 matrix", found=matrix.shape, expected=(4, 4), fix="give a 4 x 4 affine"
        )
    if not (np.abs(matrix) < LARGEST_MM).all() or not np.allclose(matrix[3], [0, 0, 0, 1]):
        raise GeometryError(
            None, "the affine is not finite or its last row is not 0 0 0 1", fix="repair the image's header"
        )
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not lengths.all() or abs(np.linalg.det(matrix[:3, :3] / np.where(lengths, lengths, 1.0))) < 1e-3:
        raise GeometryError(
            None, "the affine is singular: two axes coincide, or one has no length", fix="repair the image's header"
        )
    if lengths.min() < VOXEL_MM[0] or lengths.max() > VOXEL_MM[1]:
        raise GeometryError(
            None,
            "voxels of an impossible size",
            found=" x ".join(f"{length:.4g}" for length in lengths) + " mm",
            expected=f"{VOXEL_MM[0]:g} to {VOXEL_MM[1]:g} mm",
            fix="set the voxel sizes, or the unit that they are in",
        )
    return matrix
