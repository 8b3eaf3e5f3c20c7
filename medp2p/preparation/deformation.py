"""What goes beyond turning and shifting: a scan stretched and sheared, or bent by B-splines."""

import numpy as np
import SimpleITK as sitk

from medp2p.preparation.pyramid import Pair
from medp2p.preparation.search import bend, climb, refine

_ORDER = 3


def affine(pair: Pair, rigid: sitk.Euler3DTransform, *, seed: int) -> sitk.AffineTransform:
    """The affine transform that begins with a rigid one."""
    transform = sitk.AffineTransform(3)
    transform.SetCenter(rigid.GetCenter())
    transform.SetMatrix(rigid.GetMatrix())
    transform.SetTranslation(rigid.GetTranslation())
    _, *finer, finest = pair.levels
    for mm in finer:
        transform = sitk.AffineTransform(climb(pair.levels[mm], transform, seed=seed, level_mm=mm))
    return sitk.AffineTransform(refine(pair.levels[finest], transform, seed=seed, level_mm=finest))


def bspline(pair: Pair, rigid: sitk.Euler3DTransform, *, spacing_mm: float, seed: int) -> sitk.CompositeTransform:
    """The affine transform after a free-form one, whose knots lie so many mm apart in the fixed scan."""
    straight = affine(pair, rigid, seed=seed)
    _, level, *_ = pair.levels.values()
    lengths = np.array(level.fixed.GetSpacing()) * level.fixed.GetSize()
    mesh = np.maximum(1, np.round(lengths / spacing_mm)).astype(int).tolist()
    free = sitk.BSplineTransformInitializer(level.fixed, mesh, _ORDER)
    return sitk.CompositeTransform([straight, bend(level, free, straight, seed=seed)])


def least_jacobian(transform: sitk.Transform, pair: Pair) -> float:
    """The smallest change of volume in the body: 1 for a rigid transform, 0 or less where a scan is folded."""
    level = next(iter(pair.levels.values()))
    grid = level.fixed
    field = sitk.TransformToDisplacementField(
        transform, sitk.sitkVectorFloat64, grid.GetSize(), grid.GetOrigin(), grid.GetSpacing(), grid.GetDirection()
    )
    moved = sitk.GetArrayFromImage(field)  # (Z, Y, X, 3)
    along_axes = np.stack(
        [np.gradient(moved, mm, axis=2 - axis) if moved.shape[2 - axis] > 1 else np.zeros_like(moved)
         for axis, mm in enumerate(grid.GetSpacing())],
        axis=-1,
    )  # fmt: skip
    jacobian = np.linalg.det(np.eye(3) + along_axes @ np.reshape(grid.GetDirection(), (3, 3)).T)
    return float(jacobian[sitk.GetArrayViewFromImage(level.mask) > 0].min())
