"""How well structures agree: Dice overlap and 95 % Hausdorff distance of two masks, in mm.

SciPy's distance transform on bounding boxes gives MONAI's numbers (a test compares them) without loading torch.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from medp2p.evaluation.scored_region import bounding_box, union_box

Mask = NDArray[np.bool_]
BONE_ABOVE_HU: Final = 250.0
"""HU; cortical bone and most spongy bone lie above, contrast-free soft tissue below."""
AIR_BELOW_HU: Final = -200.0
"""HU; air and lung lie below, fat at -100 above."""
PERCENTILE: Final = 95.0


def dice(first: Mask, second: Mask) -> float:
    """Overlap 2 |A and B| / (|A| + |B|), 0 to 1; NaN where both are empty.

    Examples:
        >>> dice(np.array([True, True, False]), np.array([True, False, False]))
        0.6666666666666666
    """
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 2 * int(np.count_nonzero(first & second)) / total if total else float("nan")


def hd95(first: Mask, second: Mask, spacing_mm: Sequence[float]) -> float:
    """95 % Hausdorff distance of the surfaces of two masks, in mm.

    Args:
        first: Shape (X, Y, Z).
        second: The same shape.
        spacing_mm: Of the three axes.

    Returns:
        The larger of both directions' 95th percentile; NaN where a mask is empty.

    Source:
        MONAI `HausdorffDistanceMetric(percentile=95)`, as SynthRAD2025 uses it: surfaces are voxels of a mask that an
        erosion by the cross of 7 voxels takes away.

    Examples:
        >>> cube = np.zeros((9, 9, 9), bool)
        >>> cube[2:5, 2:5, 2:5] = True
        >>> hd95(cube, np.roll(cube, 2, axis=0), (1.5, 1.0, 1.0))
        3.0
    """
    box = union_box([bounding_box(first), bounding_box(second)])
    if box is None or not first.any() or not second.any():
        return float("nan")
    edges = [_surface(mask[box]) for mask in (first, second)]
    far = []
    for here, there in (edges, edges[::-1]):
        distances = distance_transform_edt(~there, sampling=spacing_mm)
        far.append(float(np.percentile(distances[here], PERCENTILE)))
    return max(far)


def _surface(mask: Mask) -> Mask:
    return np.asarray(mask & ~binary_erosion(mask))


def by_threshold(name: str, scan: NDArray[Any], body: Mask) -> Mask | None:
    """The bone or the air of a scan in HU inside the body, by the region's name; None for any other name."""
    if name.lower() == "bone":
        return np.asarray((scan > BONE_ABOVE_HU) & body)
    if name.lower() == "air":
        return np.asarray((scan < AIR_BELOW_HU) & body)
    return None


def threshold_in_words(name: str) -> str:
    """What `by_threshold` compared.

    Examples:
        >>> threshold_in_words("Bone")
        'both scans above 250 HU in the body'
    """
    side = f"above {BONE_ABOVE_HU:g}" if name.lower() == "bone" else f"below {AIR_BELOW_HU:g}"
    return f"both scans {side} HU in the body"
