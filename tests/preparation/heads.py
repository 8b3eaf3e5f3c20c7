"""Heads that were moved by a known way, and how far a found transform is from it."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from medp2p.preparation.masks import body_of
from medp2p.preparation.pyramid import Scan
from medp2p.preparation.quality import displacement
from medp2p.volume import Volume

SHAPE = (48, 54, 40)
"""Voxels of about 4.3 mm."""


def moved(volume: Volume, shift_mm, axis=(1, 2, 3), degrees=0.0) -> tuple[Volume, sitk.AffineTransform]:
    """The same voxels elsewhere: only the affine changes, so the way is known exactly. And the way, LPS."""
    about = np.eye(4)
    about[:3, :3] = Rotation.from_rotvec(np.deg2rad(degrees) * np.array(axis) / np.linalg.norm(axis)).as_matrix()
    centre = (volume.affine @ [*((np.array(volume.shape) - 1) / 2), 1])[:3]
    about[:3, 3] = centre - about[:3, :3] @ centre + shift_mm
    lps = np.diag([-1.0, -1.0, 1.0])
    way = sitk.AffineTransform(3)
    way.SetMatrix((lps @ about[:3, :3] @ lps).ravel().tolist())
    way.SetTranslation((lps @ about[:3, 3]).tolist())
    return Volume(volume.voxels, about @ volume.affine), way


def scan(volume: Volume, *, hu: bool = False) -> Scan:
    return Scan(volume, body_of(volume, hu=hu), hu)


def error(found: sitk.Transform, truth: sitk.Transform, fixed: Scan) -> tuple[float, float]:
    """Mean distance in mm over the body, and degrees, between two transforms."""
    apart = sitk.CompositeTransform([truth.GetInverse(), found])
    mean, _, degrees = displacement(fixed.volume, fixed.body, apart)
    return mean, degrees


def real_data(*parts: str) -> Path:
    """A folder of real scans, where there are any: MEDP2P_REAL_DATA, or shared/data beside the repository."""
    root = Path(os.environ.get("MEDP2P_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
    folder = root.joinpath(*parts)
    if not folder.is_dir():
        pytest.skip("no real scans here: name their folder with MEDP2P_REAL_DATA")
    return folder
