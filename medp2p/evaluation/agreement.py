"""How well structures agree: Dice overlap and 95 % Hausdorff distance of two masks, in mm.

SciPy's distance transform on bounding boxes gives MONAI's numbers (a test compares them) without loading torch.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p.evaluation.measured import Measured
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
    from scipy.ndimage import distance_transform_edt

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
    from scipy.ndimage import binary_erosion

    return np.asarray(mask & ~binary_erosion(mask))


def agreed(given: Mask, wanted: Mask, spacing_mm: Sequence[float], *, note: str | None = None) -> Measured:
    """Dice and Hausdorff distance of one structure, with reasons; `note` says how its masks were made."""
    values = {} if not wanted.any() else {"dice": dice(given, wanted), "hd95": hd95(given, wanted, spacing_mm)}
    values = {metric: value for metric, value in values.items() if np.isfinite(value)}
    side = "the reference" if not wanted.any() else "the prediction"
    empty = {metric: f"the structure has no voxel in {side}" for metric in ("dice", "hd95") if metric not in values}
    reasons = {metric: "; ".join(filter(None, (empty.get(metric), note))) for metric in ("dice", "hd95")}
    return Measured(int(np.count_nonzero(wanted)), values, reasons)


def has_threshold(name: str) -> bool:
    """Whether a region of that name is told by HU alone."""
    return name.lower() in ("bone", "air")


def by_threshold(name: str, scan: NDArray[Any], body: Mask) -> Mask:
    """The bone or the air of a scan in HU inside the body, by the region's name."""
    return np.asarray((scan > BONE_ABOVE_HU if name.lower() == "bone" else scan < AIR_BELOW_HU) & body)


def threshold_in_words(name: str) -> str:
    """What `by_threshold` compared.

    Examples:
        >>> threshold_in_words("Bone")
        'both scans above 250 HU in the body'
    """
    side = f"above {BONE_ABOVE_HU:g}" if name.lower() == "bone" else f"below {AIR_BELOW_HU:g}"
    return f"both scans {side} HU in the body"
