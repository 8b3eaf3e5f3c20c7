"""The shading of an MR's coils, found by N4 and divided out; what comes out still looks like the scan."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from medp2p.preparation.pyramid import at_resolution
from medp2p.volume import Volume

logger = logging.getLogger(__name__)

WORKING_MM = 5.0
"""Voxel size at which the field is sought: it is smoother than that by far."""
ITERATIONS = (40, 30, 20)
CONVERGENCE = 1e-3
LEAST_LIKENESS = 0.6
"""Correlation with the scan, in the body, below which the result is no correction of it."""
_ABOVE_ZERO = 1e-3
"""Share of the range that the darkest voxel is lifted to: N4 takes logarithms."""


@dataclass(frozen=True)
class Corrected:
    """A scan without its bias field.

    Attributes:
        volume: float32; the scan itself where the field could not be found.
        lowest: The smallest factor that was divided out in the body; 1 where none was.
        highest: The largest.
        note: Why the scan was left as it is; empty where it was corrected.
    """

    volume: Volume
    lowest: float = 1.0
    highest: float = 1.0
    note: str = ""


def without_bias_field(volume: Volume, body: NDArray[np.bool_]) -> Corrected:
    """Divide out the bias field of an MR.

    Args:
        volume: Any real values; negative ones too.
        body: Where the field is sought, shape (X, Y, Z); what the mask holds counts as above 0.

    Raises:
        GeometryError: The grid is sheared.

    Source:
        Tustison et al., N4ITK: improved N3 bias correction, IEEE TMI 29 (2010).
    """
    values = volume.voxels.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not body.any() or low == high:
        return Corrected(volume, note="nothing stands out in it")
    shift = max(0.0, _ABOVE_ZERO * (high - low) - low)
    image = volume.with_voxels(values + np.float32(shift)).to_sitk()
    try:
        log_field = _log_field(image, volume.with_voxels(body.astype(np.uint8)).to_sitk())
    except RuntimeError as error:
        logger.debug("N4 gave up: %s", error)
        return Corrected(volume, note="N4 found no field, as it may in very few slices")
    log_field -= log_field[body].mean()
    log_field = np.clip(log_field, log_field[body].min(), log_field[body].max())  # beyond the body it runs away
    field = np.exp(log_field).astype(np.float32)
    result = (values + np.float32(shift)) / field - np.float32(shift)
    if not np.isfinite(result).all() or _likeness(result[body], values[body]) < LEAST_LIKENESS:
        return Corrected(volume, note="what N4 made of it no longer looks like the scan")
    return Corrected(volume.with_voxels(result), float(field[body].min()), float(field[body].max()))


def _log_field(image: sitk.Image, mask: sitk.Image) -> NDArray[np.float32]:
    """The logarithm of the field at every voxel, shape (X, Y, Z)."""
    small = at_resolution(image, WORKING_MM)
    small_mask = sitk.Resample(mask, small, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor, 0)
    filter_ = sitk.N4BiasFieldCorrectionImageFilter()
    filter_.SetUseMaskLabel(True)
    filter_.SetMaskLabel(1)
    filter_.SetMaximumNumberOfIterations(ITERATIONS)
    filter_.SetConvergenceThreshold(CONVERGENCE)
    with _one_thread():
        filter_.Execute(small, small_mask)
    field: NDArray[np.float32] = sitk.GetArrayFromImage(filter_.GetLogBiasFieldAsImage(image)).T
    return np.ascontiguousarray(field, np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """N4 hands its own number of threads to none of its parts, and sums of several threads differ from run to run."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
