"""A scan brought onto the grid of another, once, from what was scanned; nothing is invented where it has no data."""

from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from medp2p.volume import Volume

EDGE_TOLERANCE_VOXELS = 1e-3
"""Rounding noise that a centre exactly half a voxel beyond the outermost ones may carry."""


def resampled(
    moving: Volume, onto: Volume, transform: sitk.Transform, *, outside: float, nearest: bool = False
) -> NDArray[Any]:
    """The values of a scan at the voxels of another.

    A voxel whose centre lies within half a voxel of the outermost centres counts as inside and takes the nearest value.

    Args:
        moving: The scan to be moved, as it was scanned.
        onto: Whose grid is taken.
        transform: From points of `onto` to points of `moving`, LPS, mm.
        outside: The value where `moving` has no data.
        nearest: For labels and masks: no value that was not there before.

    Returns:
        Shape of `onto`; float32, or the type of `moving` where `nearest`.

    Raises:
        GeometryError: One of the grids is sheared.

    Examples:
        >>> ramp = Volume(np.arange(4.0).reshape(4, 1, 1), np.diag([2.0, 1.0, 1.0, 1.0]))
        >>> fine = Volume(np.zeros((9, 1, 1)), np.diag([1.0, 1.0, 1.0, 1.0]))
        >>> resampled(ramp, fine, sitk.Transform(3, sitk.sitkIdentity), outside=-1024).ravel().tolist()
        [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0, -1024.0]
    """
    there = covered(moving, onto, transform)
    image = moving.to_sitk() if nearest else sitk.Cast(moving.to_sitk(), sitk.sitkFloat32)
    values = _resampled(image, onto, transform, nearest=nearest, extrapolate=True)
    values[~there] = outside
    return values


def covered(moving: Volume, onto: Volume, transform: sitk.Transform) -> NDArray[np.bool_]:
    """Where a scan has data among the voxels of another, shape of `onto`."""
    ones = moving.with_voxels(np.ones(moving.shape, np.uint8)).to_sitk()
    _stretch(ones)
    inside: NDArray[np.bool_] = _resampled(ones, onto, transform, nearest=True, extrapolate=False) > 0
    return inside


def _stretch(image: sitk.Image) -> None:
    """Make every voxel larger by the tolerance, about the middle of the image."""
    middle = [(size - 1) / 2 for size in image.GetSize()]
    before = np.array(image.TransformContinuousIndexToPhysicalPoint(middle))
    image.SetSpacing(
        [mm * (1 + 2 * EDGE_TOLERANCE_VOXELS / n) for mm, n in zip(image.GetSpacing(), image.GetSize(), strict=True)]
    )
    after = np.array(image.TransformContinuousIndexToPhysicalPoint(middle))
    image.SetOrigin((np.array(image.GetOrigin()) + before - after).tolist())


def _resampled(
    image: sitk.Image, onto: Volume, transform: sitk.Transform, *, nearest: bool, extrapolate: bool
) -> NDArray[Any]:
    filter_ = sitk.ResampleImageFilter()
    filter_.SetReferenceImage(grid_image(onto))
    filter_.SetTransform(transform)
    filter_.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    filter_.SetUseNearestNeighborExtrapolator(extrapolate)
    filter_.SetDefaultPixelValue(0)
    return np.ascontiguousarray(sitk.GetArrayFromImage(filter_.Execute(image)).T)


def grid_image(volume: Volume) -> sitk.Image:
    """An empty image of SimpleITK on the grid of a volume."""
    return volume.with_voxels(np.zeros(volume.shape, np.uint8)).to_sitk()
