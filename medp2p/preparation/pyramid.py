"""Two scans as a registration compares them: clipped, smoothed, and coarser than scanned."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from medp2p.volume import Volume

LEVELS_MM = (8.0, 4.0, 2.0, 1.5)
"""Voxel size of the images compared, coarse to fine."""
MOST_FINER = 3.0
"""How much finer than scanned the fixed scan may be looked at. Thick slices are, so that voxels compared lie everywhere
between those of the moving scan: where the slices of both coincide, nothing is blurred and the headers seem right."""
MARGIN_MM = 10.0
"""How far around the body voxels are compared: its outline against air is what aligns it best."""
HU_LIMITS = (-1000.0, 1500.0)
"""HU; dense bone, metal and padding beyond would take the bins of all the rest."""
BRIGHTEST_PERCENT = 99.8
"""Percentile of an MR above which vessels and artefacts are clipped."""
SMOOTHING = 0.5
"""Standard deviation of the Gaussian before an image is made coarser, in voxels of the coarser one."""
Point = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """Both scans at one resolution.

    Attributes:
        fixed: The scan that stays, float32.
        moving: The scan that is moved, float32.
        mask: On the grid of `fixed`, 1 where voxels are compared.
        voxels: How many these are.
    """

    fixed: sitk.Image
    moving: sitk.Image
    mask: sitk.Image
    voxels: int


@dataclass(frozen=True, eq=False)
class Scan:
    """One of the two scans.

    Attributes:
        volume: As scanned, or with its bias field corrected.
        body: True inside the body, shape of the volume.
        hu: Whether its values are Hounsfield units.
    """

    volume: Volume
    body: NDArray[np.bool_]
    hu: bool

    @property
    def grid_centre(self) -> Point:
        """The middle of the grid, LPS, mm."""
        return _point(self.volume, (np.array(self.volume.shape) - 1) / 2)

    @property
    def body_centre(self) -> Point:
        """The centre of gravity of the body, LPS, mm; the middle of the grid where no body was found."""
        if not self.body.any():
            return self.grid_centre
        profiles = [self.body.sum(tuple(other for other in range(3) if other != axis)) for axis in range(3)]
        return _point(
            self.volume, np.array([np.average(np.arange(profile.size), weights=profile) for profile in profiles])
        )


@dataclass(frozen=True, eq=False)
class Pair:
    """Two scans and their coarser versions.

    Attributes:
        fixed: The scan that stays.
        moving: The scan that is moved.
        levels: Voxel size in mm -> both at that resolution, coarse to fine.
    """

    fixed: Scan
    moving: Scan
    levels: Mapping[float, Level]

    @classmethod
    def of(cls, fixed: Scan, moving: Scan) -> "Pair":
        """Make the levels of two scans.

        Raises:
            GeometryError: A grid is sheared.
        """
        body = fixed.volume.with_voxels(fixed.body if fixed.body.any() else np.ones(fixed.volume.shape, bool)).to_sitk()
        images, levels = (_clipped(fixed), _clipped(moving)), {}
        for mm in reversed(LEVELS_MM):
            seen = at_resolution(images[0], mm, finer=MOST_FINER)
            images = at_resolution(images[0], mm), at_resolution(images[1], mm)
            levels[mm] = Level(seen, images[1], *_mask(body, seen))
        return cls(fixed, moving, dict(reversed(levels.items())))

    @property
    def finest(self) -> Level:
        """Both at the highest resolution."""
        return self.levels[LEVELS_MM[-1]]


def at_resolution(image: sitk.Image, mm: float, *, finer: float = 1.0) -> sitk.Image:
    """An image on voxels of so many mm over the same field of view, smoothed where they are larger than before.

    Args:
        image: float32.
        mm: Size of the new voxels.
        finer: By how much a voxel may become smaller than it was, along each axis.
    """
    spacing, size = np.array(image.GetSpacing()), np.array(image.GetSize())
    count = np.maximum(1, np.round(size * spacing / np.maximum(spacing / finer, mm))).astype(int)
    new = size * spacing / count
    variance = SMOOTHING**2 * np.maximum(0, new**2 - spacing**2)
    smooth = sitk.DiscreteGaussian(image, variance.tolist(), maximumKernelWidth=64, maximumError=0.02)
    filter_ = sitk.ResampleImageFilter()
    filter_.SetSize(count.tolist())
    filter_.SetOutputSpacing(new.tolist())
    filter_.SetOutputDirection(image.GetDirection())
    filter_.SetOutputOrigin(image.TransformContinuousIndexToPhysicalPoint(((new / spacing - 1) / 2).tolist()))
    filter_.SetInterpolator(sitk.sitkLinear)
    filter_.SetUseNearestNeighborExtrapolator(True)
    result: sitk.Image = filter_.Execute(smooth)
    return result


def _clipped(scan: Scan) -> sitk.Image:
    values = scan.volume.voxels.astype(np.float32)
    low, high = HU_LIMITS if scan.hu else (values.min(), np.percentile(values, BRIGHTEST_PERCENT))
    return scan.volume.with_voxels(np.clip(values, np.float32(low), np.float32(high))).to_sitk()


def _mask(body: sitk.Image, grid: sitk.Image) -> tuple[sitk.Image, int]:
    """Where a level is compared: the body and a margin around it."""
    coarse = sitk.Resample(body, grid, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor, 0)
    near = sitk.BinaryDilate(coarse, [max(1, round(MARGIN_MM / mm)) for mm in grid.GetSpacing()])
    return near, int(np.count_nonzero(sitk.GetArrayViewFromImage(near)))


def _point(volume: Volume, index: NDArray[np.float64]) -> Point:
    point: Point = (volume.affine[:3, :3] @ index + volume.affine[:3, 3]) * (-1, -1, 1)
    return point
