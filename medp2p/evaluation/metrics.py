"""The formulae of the scores, as pure functions on arrays; they must never read a file or know a protocol's name.

Every function computes in float64 whatever it is given, so that unsigned images do not wrap.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medp2p.errors import EmptyRegionError, GeometryError
from medp2p.evaluation.windows import CENTRE, WINDOW, integer_sums, windowed

Array = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

K1: Final = 0.01
K2: Final = 0.03
"""Wang et al. 2004: C1 = (K1 R)^2 and C2 = (K2 R)^2."""
SAMPLE: Final = WINDOW**3 / (WINDOW**3 - 1)
"""From the covariance of a population to that of a sample."""


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
    if first.dtype.kind != "f":
        return _from_sums(first, second, c1, c2)
    mean_1, mean_2 = windowed(first), windowed(second)
    covariance = SAMPLE * (windowed(first * second) - mean_1 * mean_2)
    variances = SAMPLE * (windowed(np.square(first) + np.square(second)) - (np.square(mean_1) + np.square(mean_2)))
    luminance = (2 * mean_1 * mean_2 + c1) / (np.square(mean_1) + np.square(mean_2) + c1)
    return np.asarray(luminance * (2 * covariance + c2) / (variances + c2))


def _from_sums(first: Array, second: Array, c1: float, c2: float) -> Floats:
    """The map of integers: every term times n^2, the voxels of a window, and so exact up to its constant."""
    n, shape = float(WINDOW**3), first.shape
    c1, c2 = c1 * n**2 + 2 * (CENTRE * n) ** 2, c2 * n**2 / SAMPLE
    out = np.empty((shape[0] - WINDOW + 1, shape[1] * shape[2]))
    for planes, sums in integer_sums(first, second, apart=False):
        ones, twos, both = sums[0] * 1.0, sums[1] * 1.0, (sums[0] + sums[1]) * 1.0
        twos *= ones
        twos *= 2  # 2 ab, less CENTRE both
        squares = both * both
        squares -= twos  # a^2 + b^2
        both *= 2 * CENTRE * n
        both += c1
        covariance = sums[2] * (2 * n)
        covariance -= twos
        covariance += c2
        variances = sums[3].view(np.uint32) * n
        variances -= squares
        variances += c2
        twos += both
        twos *= covariance
        squares += both
        squares *= variances
        np.divide(twos, squares, out=out[planes].reshape(-1)[: twos.size])
    return out.reshape(-1, *shape[1:])[:, : 1 - WINDOW, : 1 - WINDOW]


def three_terms(first: Array, second: Array, *, data_range: float) -> Floats:
    """Luminance x contrast x structure at every voxel, each cut at 0; the map that MS-SSIM of SynthRAD2025 averages.

    Arguments and shapes as for `ssim_map`. Contrast and structure are apart here, with C3 = C2 / 2, because each is
    cut at 0 by itself.

    Source:
        SynthRAD2025/evaluation, image_metrics.py: L = (2 ux uy + C1) / (ux^2 + uy^2 + C1),
        C = (2 sx sy + C2) / (vx + vy + C2), S = (vxy + C3) / (sx sy + C3), sx = sqrt(max(vx, 0)).
    """
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    if first.dtype.kind == "f":
        given = (first, second, first * second, np.square(first), np.square(second))
        return _terms([windowed(each) for each in given], 0, c1, c2)
    planes, rows, columns = (length - WINDOW + 1 for length in first.shape)
    out = np.empty((planes, first.shape[1] * first.shape[2]))
    for part, sums in integer_sums(first, second, apart=True):
        found = _terms([each / WINDOW**3 for each in (*sums[:3], *sums[3:].view(np.uint32))], CENTRE, c1, c2)
        out[part].reshape(-1)[: found.size] = found
    return out.reshape(planes, *first.shape[1:])[:, :rows, :columns]


def _terms(means: Sequence[Floats], centre: int, c1: float, c2: float) -> Floats:
    """The three terms from means over windows: of both images less `centre`, of their product, of their squares."""
    mean_1, mean_2, products, squares_1, squares_2 = means
    covariance = SAMPLE * (products - mean_1 * mean_2)
    variance_1 = SAMPLE * (squares_1 - np.square(mean_1))
    variance_2 = SAMPLE * (squares_2 - np.square(mean_2))
    spreads = np.sqrt(np.maximum(variance_1, 0) * np.maximum(variance_2, 0))
    if centre:
        mean_1, mean_2 = mean_1 + centre, mean_2 + centre
    luminance = (2 * mean_1 * mean_2 + c1) / (np.square(mean_1) + np.square(mean_2) + c1)
    contrast = (2 * spreads + c2) / (variance_1 + variance_2 + c2)
    structure = (covariance + c2 / 2) / (spreads + c2 / 2)
    return np.asarray(np.maximum(luminance, 0) * np.maximum(contrast, 0) * np.maximum(structure, 0))


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
