"""The body without what it lies on, and the regions that Hounsfield units alone tell apart."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.affine import axis_order
from medp2p.body import BODY_HU, find_body
from medp2p.volume import Volume

THIN_MM = 8.0
"""What is thinner than this all over is no body: shells of beds and head-rests, blankets, tubes."""
REACH_MM = 2.0
"""How much of what was opened away is given back around the thick rest, beyond half the thickness."""
COARSE_MM = 2.0
"""Voxel size at which thickness is judged; that is a matter of millimetres, not of voxels."""
BONE_HU = 250.0
"""HU above which tissue counts as bone."""
TISSUES = {2: "bone", 3: "air", 4: "soft_tissue"}
"""Labels and names of what thresholds find, as in the shipped configurations; 1 is the brain there."""


def body_of(volume: Volume, *, hu: bool) -> NDArray[np.bool_]:
    """The body in a scan, bed and head-rest removed.

    Args:
        volume: A CT or an MR.
        hu: Whether it is in Hounsfield units.

    Returns:
        True inside the body, shape of the volume; nowhere if nothing stands out.
    """
    voxels = volume.to_ras()
    if hu:
        spacing = np.array(volume.spacing_mm)[list(axis_order(volume.affine)[0])]
        voxels = np.where(thick(voxels > BODY_HU, spacing), voxels, BODY_HU)
    return volume.from_ras(find_body(voxels, hu=hu)).voxels > 0


def thick(bright: NDArray[np.bool_], spacing_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the largest part is that stays when everything thin is opened away, and its close surroundings.

    Args:
        bright: Tissue and whatever else is as dense, shape (X, Y, Z).
        spacing_mm: Along each axis.

    Returns:
        Shape (X, Y, Z); everywhere if nothing is thick.

    Examples:
        >>> scan = np.zeros((40, 40, 3), bool)
        >>> scan[10:30, 5:25] = True  # a head
        >>> scan[:, 25:27] = True  # on a shell
        >>> near = thick(scan, np.ones(3))
        >>> bool(near[10:30, 5:25].all()), bool(near[:4, 25:27].any())
        (True, False)
    """
    from scipy import ndimage

    steps = np.maximum(1, np.floor(COARSE_MM / spacing_mm)).astype(int)
    coarse, mm = bright[tuple(slice(step // 2, None, int(step)) for step in steps)], spacing_mm * steps
    padded = np.pad(coarse, 1, mode="edge")  # beyond the field of view a body goes on
    core = ndimage.distance_transform_edt(padded, sampling=mm)[1:-1, 1:-1, 1:-1] > THIN_MM / 2
    parts, count = ndimage.label(core, np.ones((3, 3, 3), bool))
    if not count:
        return np.ones(bright.shape, bool)
    core = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    near = ndimage.distance_transform_edt(~core, sampling=mm) <= THIN_MM / 2 + REACH_MM + mm.max() / 2
    for axis, step in enumerate(steps):
        near = np.repeat(near, int(step), axis)
    missing = [(0, max(0, want - have)) for want, have in zip(bright.shape, near.shape, strict=True)]
    whole: NDArray[np.bool_] = np.pad(near, missing, mode="edge")[tuple(map(slice, bright.shape))]
    return whole


def tissues_by_hu(ct: NDArray[Any], body: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Bone, air and soft tissue inside the body by thresholds, labels of `TISSUES`, 0 outside.

    Examples:
        >>> tissues_by_hu(np.array([[[-1000, -900, 40, 900]]]), np.array([[[False, True, True, True]]])).tolist()
        [[[0, 3, 4, 2]]]
    """
    labels = np.where(ct > BONE_HU, 2, np.where(ct > BODY_HU, 4, 3))
    return np.where(body, labels, 0).astype(np.uint8)
