"""Mattes mutual information of two scans, and the way uphill from a start; the same input gives the same bits."""

import numpy as np
import SimpleITK as sitk

from medp2p.preparation.pyramid import Level

BINS = 48
"""Of the joint histogram, along each scan."""
SAMPLES = 40_000
"""Voxels drawn for comparison at a level, at most."""
MEASURED_SAMPLES = 100_000
"""Voxels drawn for the number that is reported."""
BENT_SAMPLES = 20_000
"""The same for a free-form transform, whose every voxel costs a hundred times more."""
ITERATIONS = 100
FIRST_STEP, LAST_STEP = 0.5, 2e-3
"""Of the way uphill, in voxels of the level."""
RELAXATION = 0.8
"""Of the step where the slope turns; 0.5 ends before the top is reached [measured on a synthetic head]."""
ROUNDS = 6
LINE_STEPS = 20
LINE_STEP, LINE_TOLERANCE, GAIN_TOLERANCE = 0.3, 0.01, 1e-5
"""Of the search along lines: its step and where it ends, in voxels, and nats below which a round was the last."""
BENDS = 12
"""Iterations of a free-form transform; more of them raise the information and bend what is straight [measured]."""


def climb(level: Level, start: sitk.Transform, *, seed: int, level_mm: float) -> sitk.Transform:
    """The transform with the largest mutual information near a start.

    Args:
        level: The two scans.
        start: Where to begin; its kind decides what may be changed.
        seed: Of the voxels drawn.
        level_mm: Voxel size of the level.

    Raises:
        RuntimeError: Too little of one scan lies in the other.

    Source:
        Mattes et al., PET-CT image registration in the chest using free-form deformations, IEEE TMI 22 (2003).
    """
    method = _compared(level, seed)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=FIRST_STEP * level_mm,
        minStep=LAST_STEP * level_mm,
        numberOfIterations=ITERATIONS,
        relaxationFactor=RELAXATION,
        gradientMagnitudeTolerance=1e-6,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=False)
    return _alone(method.Execute(level.fixed, level.moving))


def refine(level: Level, start: sitk.Transform, *, seed: int, level_mm: float) -> sitk.Transform:
    """The same without slopes, line by line.

    Across thick slices the slope of linear interpolation is no slope of the information: the way uphill ends half a
    millimetre beside the top there [measured on slices of 4 mm].

    Source:
        Powell, An efficient method for finding the minimum of a function of several variables, Comput. J. 7 (1964).
    """
    method = _compared(level, seed)
    method.SetOptimizerAsPowell(
        numberOfIterations=ROUNDS,
        maximumLineIterations=LINE_STEPS,
        stepLength=LINE_STEP * level_mm,
        stepTolerance=LINE_TOLERANCE * level_mm,
        valueTolerance=GAIN_TOLERANCE,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=False)
    return _alone(method.Execute(level.fixed, level.moving))


def bend(level: Level, start: sitk.BSplineTransform, before: sitk.Transform, *, seed: int) -> sitk.BSplineTransform:
    """The same for the many parameters of a free-form transform, after which another is applied and kept as it is."""
    method = _compared(level, seed, most=BENT_SAMPLES)
    method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-6, numberOfIterations=BENDS)
    method.SetMovingInitialTransform(before)
    method.SetInitialTransform(start, inPlace=False)
    return sitk.BSplineTransform(_alone(method.Execute(level.fixed, level.moving)))


def mutual_information(level: Level, transform: sitk.Transform, *, seed: int) -> float | None:
    """Mutual information in nats under a transform, None where too little of one scan lies in the other."""
    method = _compared(level, seed, most=MEASURED_SAMPLES)
    method.SetInitialTransform(transform, inPlace=False)
    try:
        value = -float(method.MetricEvaluate(level.fixed, level.moving))
    except RuntimeError:
        return None
    return value if np.isfinite(value) and value > -1e6 else None


def _alone(found: sitk.Transform) -> sitk.Transform:
    """The transform that was sought, out of the queue that SimpleITK puts it in."""
    return sitk.CompositeTransform(found).GetBackTransform() if found.GetName() == "CompositeTransform" else found


def _compared(level: Level, seed: int, *, most: int | None = None) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfWorkUnits(1)  # sums of several threads differ in their last bits
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(level.mask)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, (most or SAMPLES) / max(1, level.voxels)), seed + 1)  # 0 is the clock
    method.SetInterpolator(sitk.sitkLinear)
    return method
