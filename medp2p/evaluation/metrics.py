"""The formulae of the scores, as pure functions on arrays; they must never read a file or know a protocol's name.

Every function computes in float64 whatever it is given, so that unsigned images do not wrap.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medp2p.errors import EmptyRegionError, GeometryError

Array = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WINDOW: Final = 7
"""Edge of the cubic SSIM window, in voxels: the default of scikit-image and of the SynthRAD challenges."""
MARGIN: Final = WINDOW // 2
"""A voxel nearer than this to the border of the image has no full window, and no SSIM."""
K1: Final = 0.01
K2: Final = 0.03
"""Wang et al. 2004: C1 = (K1 R)^2 and C2 = (K2 R)^2."""
SAMPLE: Final = WINDOW**3 / (WINDOW**3 - 1)
"""From the covariance of a population to that of a sample."""
CENTRE: Final = 2048
"""Integers from 0 to 4095 are taken less this before they are multiplied: variances do not mind, and sums over a window
fit 32 bits."""


def masked_mae(predicted: ArrayLike, reference: ArrayLike, region: ArrayLike) -> float:
    """Mean absolute error over the voxels of one region, in the unit of the images.

    Args:
        predicted: Synthetic scan, shape (X, Y, Z).
        reference: Acquired scan on the same grid, shape (X, Y, Z).
        region: True where a voxel counts, shape (X, Y, Z).

    Raises:
        GeometryError: The three arrays differ in shape.
        EmptyRegionError: The region holds no voxel.

    Source:
        SynthRAD2023 and SynthRAD2025: sum(|g - p| m) / sum(m), without clipping.

    Examples:
        >>> scan = np.full((2, 2, 2), 84, np.uint8)
        >>> masked_mae(scan, np.full_like(scan, 100), scan > 0)
        16.0
    """
    return float(np.abs(_difference(predicted, reference, region)).mean())


def masked_me(predicted: ArrayLike, reference: ArrayLike, region: ArrayLike) -> float:
    """Mean error over the voxels of one region: positive where the prediction is too bright.

    Arguments and errors as for `masked_mae`.

    Examples:
        >>> ct = np.zeros((2, 2, 2))
        >>> masked_me(ct - 5.0, ct, ct == 0)
        -5.0
    """
    return float(_difference(predicted, reference, region).mean())


def masked_psnr(predicted: ArrayLike, reference: ArrayLike, region: ArrayLike, *, data_range: float) -> float:
    """Peak signal-to-noise ratio over the voxels of one region.

    Args:
        predicted: Synthetic scan, shape (X, Y, Z), clipped already where the protocol clips.
        reference: Acquired scan on the same grid, likewise.
        region: True where a voxel counts, shape (X, Y, Z).
        data_range: Width of the scoring window. Required: a range read off the image would make two patients
            incomparable.

    Returns:
        PSNR in dB; infinite where the region is reproduced exactly.

    Raises:
        GeometryError: The three arrays differ in shape.
        EmptyRegionError: The region holds no voxel.

    Source:
        SynthRAD2025 evaluation, 10 log10(R^2 / mean((g - p)^2)).

    Examples:
        >>> ct = np.zeros((2, 2, 2))
        >>> masked_psnr(ct + 10.0, ct, ct == 0, data_range=1000.0)
        40.0
    """
    return psnr_of(float(np.square(_difference(predicted, reference, region)).mean()), data_range)


def psnr_of(mean_square: float, data_range: float) -> float:
    """PSNR in dB of a mean squared error; infinite for 0."""
    return float("inf") if mean_square == 0 else float(10 * np.log10(data_range**2 / mean_square))


def ssim_map(first: Array, second: Array, *, data_range: float) -> Floats:
    """Structural similarity at every voxel, from uniform windows of 7 voxels and sample covariances.

    Args:
        first: float64, shape (X, Y, Z), at least 7 voxels along each axis; or int32 from 0 to 4095, which is faster.
        second: The same shape and type.
        data_range: R of the constants C1 = (0.01 R)^2 and C2 = (0.03 R)^2.

    Returns:
        The map where windows are complete: shape (X - 6, Y - 6, Z - 6).

    Source:
        Wang et al. 2004; the defaults of `skimage.metrics.structural_similarity`, in 3-D.

    Examples:
        >>> ramp = np.arange(512.0).reshape(8, 8, 8)
        >>> ssim_map(ramp, ramp, data_range=512.0).shape, float(ssim_map(ramp, ramp, data_range=512.0).min())
        ((2, 2, 2), 1.0)
    """
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    first, second, centre = _centred(first, second)
    mean_1, mean_2 = windowed(first), windowed(second)
    covariance = SAMPLE * (windowed(first * second) - mean_1 * mean_2)
    both = np.square(first) + np.square(second)
    both = both.view(np.uint32) if centre else both
    variances = SAMPLE * (windowed(both) - (np.square(mean_1) + np.square(mean_2)))
    if centre:
        mean_1, mean_2 = mean_1 + centre, mean_2 + centre
    luminance = (2 * mean_1 * mean_2 + c1) / (np.square(mean_1) + np.square(mean_2) + c1)
    return np.asarray(luminance * (2 * covariance + c2) / (variances + c2))


def three_terms(first: Array, second: Array, *, data_range: float) -> Floats:
    """Luminance x contrast x structure at every voxel, each cut at 0; the map that MS-SSIM of SynthRAD2025 averages.

    Arguments and shapes as for `ssim_map`. Contrast and structure are apart here, with C3 = C2 / 2, because each is
    cut at 0 by itself.

    Source:
        SynthRAD2025/evaluation, image_metrics.py: L = (2 ux uy + C1) / (ux^2 + uy^2 + C1),
        C = (2 sx sy + C2) / (vx + vy + C2), S = (vxy + C3) / (sx sy + C3), sx = sqrt(max(vx, 0)).
    """
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    first, second, centre = _centred(first, second)
    mean_1, mean_2 = windowed(first), windowed(second)
    covariance = SAMPLE * (windowed(first * second) - mean_1 * mean_2)
    variance_1 = SAMPLE * (windowed(np.square(first)) - np.square(mean_1))
    variance_2 = SAMPLE * (windowed(np.square(second)) - np.square(mean_2))
    spreads = np.sqrt(np.maximum(variance_1, 0) * np.maximum(variance_2, 0))
    if centre:
        mean_1, mean_2 = mean_1 + centre, mean_2 + centre
    luminance = (2 * mean_1 * mean_2 + c1) / (np.square(mean_1) + np.square(mean_2) + c1)
    contrast = (2 * spreads + c2) / (variance_1 + variance_2 + c2)
    structure = (covariance + c2 / 2) / (spreads + c2 / 2)
    return np.asarray(np.maximum(luminance, 0) * np.maximum(contrast, 0) * np.maximum(structure, 0))


def _centred(first: Array, second: Array) -> tuple[Array, Array, int]:
    """Integers less CENTRE; floats as they are, less 0."""
    return (first, second, 0) if first.dtype.kind == "f" else (first - CENTRE, second - CENTRE, CENTRE)


def windowed(values: Array) -> Floats:
    """Mean over the window of every voxel that has a complete one.

    Seven shifted copies are added along each axis (as 2 + 2 + 2 + 1): faster than a filter on blocks that fit a cache,
    and without the drift of running sums.

    Examples:
        >>> windowed(np.arange(512.0).reshape(8, 8, 8))[0].tolist()
        [[219.0, 220.0], [227.0, 228.0]]
    """
    for axis in range(values.ndim):
        length = values.shape[axis] - WINDOW + 1
        pairs = _cut(values, axis, 0, -1) + _cut(values, axis, 1, None)
        sums = _cut(pairs, axis, 0, length) + _cut(pairs, axis, 2, length + 2)
        sums += _cut(pairs, axis, 4, length + 4)
        sums += _cut(values, axis, WINDOW - 1, None)
        values = sums
    return np.asarray(values / WINDOW**3)


def _cut(values: Array, axis: int, start: int, stop: int | None) -> Array:
    return values[(slice(None),) * axis + (slice(start, stop),)]


def _difference(predicted: ArrayLike, reference: ArrayLike, region: ArrayLike) -> Floats:
    """Predicted minus reference over a region, flat, in float64."""
    given, wanted, counts = np.asarray(predicted), np.asarray(reference), np.asarray(region, bool)
    same_shape(given, wanted, counts)
    if not counts.any():
        raise EmptyRegionError(None, "the region holds no voxel", fix="score a region that lies in the scan")
    return np.asarray(given[counts].astype(np.float64) - wanted[counts].astype(np.float64))


def same_shape(predicted: Array, reference: Array, region: Array) -> None:
    """Refuse arrays of different shapes.

    Raises:
        GeometryError: They differ; both shapes are named.
    """
    for name, array in (("predicted", predicted), ("region", region)):
        if array.shape != reference.shape:
            raise GeometryError(
                None,
                f"{name} and reference differ in shape",
                found=array.shape,
                expected=reference.shape,
                fix="bring both onto one grid",
            )
