"""The input of a network for one slice: the one function that the training loader and the Translator share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.data.geometry import PlaneGrid, to_planes
from medp2p.data.intensity import IntensityMap, Limits


def planes(case_planes: Sequence[NDArray[Any]] | NDArray[Any], index: int, context: int) -> NDArray[Any]:
    """One slice of each channel with its neighbours on both sides.

    Args:
        case_planes: One array (N, H, W) a source channel.
        index: Which slice, from 0.
        context: Neighbours on each side; at the ends of the stack the last slice stands in for what is missing.

    Returns:
        Shape (channels x (2 context + 1), H, W): the first source's slices from `index - context` to
        `index + context`, then the second source's, and so on.

    Examples:
        >>> stack = np.arange(4.0).reshape(4, 1, 1)
        >>> planes([stack, stack + 10], 0, 1).ravel().tolist()
        [0.0, 0.0, 1.0, 10.0, 10.0, 11.0]
    """
    wanted = neighbours(index, len(case_planes[0]), context)
    return np.concatenate([channel[wanted] for channel in case_planes])


def neighbours(index: int, count: int, context: int) -> list[int]:
    """Numbers of the slices that go with slice `index` of `count`, itself in the middle.

    Examples:
        >>> neighbours(8, 10, 2)
        [6, 7, 8, 9, 9]
    """
    return [min(max(slice_, 0), count - 1) for slice_ in range(index - context, index + context + 1)]


def channel_planes(
    array_ras: NDArray[Any], grid: PlaneGrid, intensity: IntensityMap, limits: Limits | None = None
) -> NDArray[np.float32]:
    """One channel of a scan as a network sees it: mapped to [-1, 1], cut into planes, resampled in plane.

    Args:
        array_ras: Voxels in RAS order, shape (X, Y, Z), as scanned.
        grid: How they are cut.
        intensity: The channel's map.
        limits: What it is fitted to; found on these voxels where None.

    Returns:
        Shape (N, H, W), float32, within [-1, 1].
    """
    fitted = intensity.fit(array_ras) if limits is None else limits
    return to_planes(array_ras, grid, mapping=lambda plane: intensity.forward(plane, fitted))
