"""Two scanners for synthetic heads: from a map of tissues to what an MR and a CT scanner would show of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medp2p.data.phantom_patient import Patient, Tissue, Tissues
from medp2p.data.phantom_shapes import Floats, Points

CT_LIMITS_HU = (-1024, 3071)
"""What 12 bits of a CT scanner hold."""
REGIONS = {1: "brain", 2: "bone", 3: "air", 4: "soft_tissue", 5: "lesion"}
"""Labels of the region map and their names, as in `configs/mr2ct.yaml`."""


class Look(NamedTuple):
    """How one tissue looks."""

    label: int  # of REGIONS; 0 outside the head
    mr: float  # T1-weighted signal, fat about 1
    ct: float  # HU


LOOKS = {
    Tissue.OUTSIDE: Look(0, 0.00, -1000),
    Tissue.SKIN: Look(4, 0.42, 20),
    Tissue.FAT: Look(4, 0.95, -95),
    Tissue.MUSCLE: Look(4, 0.40, 55),
    Tissue.MUCOSA: Look(4, 0.48, 40),
    Tissue.FLUID: Look(4, 0.25, 15),
    Tissue.EYE: Look(4, 0.13, 12),
    Tissue.LENS: Look(4, 0.38, 85),
    Tissue.NERVE: Look(4, 0.55, 35),
    Tissue.AIR: Look(3, 0.01, -1000),
    Tissue.COMPACT_BONE: Look(2, 0.05, 1250),
    Tissue.SPONGY_BONE: Look(2, 0.45, 480),
    Tissue.DENSE_BONE: Look(2, 0.04, 1600),
    Tissue.TOOTH: Look(2, 0.03, 2300),
    Tissue.CSF: Look(1, 0.14, 8),
    Tissue.GREY: Look(1, 0.50, 39),
    Tissue.WHITE: Look(1, 0.72, 29),
    Tissue.OEDEMA: Look(1, 0.36, 20),
    Tissue.LESION: Look(5, 0.88, 75),
}
_BONE = [Tissue.COMPACT_BONE, Tissue.SPONGY_BONE, Tissue.DENSE_BONE]


def region_labels(tissues: Tissues) -> NDArray[np.uint8]:
    """The label of `REGIONS` of every voxel, 0 outside the head."""
    return np.array([look.label for look in _looks()], np.uint8)[tissues]


def scan_mr(tissues: Tissues, p: Points, patient: Patient, rng: np.random.Generator) -> NDArray[np.integer]:
    """A T1-weighted MR: blurred, uneven over the head, with Rician noise, in the units of some scanner.

    Args:
        tissues: Numbers of `Tissue`, shape (X, Y, Z).
        p: Where the voxels lie, in mm, each (X, Y, Z).
        patient: Whose tissues.
        rng: Draws the scanner's settings and its noise.

    Returns:
        uint16 or int16, shape (X, Y, Z), never negative.
    """
    signals = np.array([look.mr for look in _looks()])
    signals = signals ** rng.uniform(0.85, 1.2) * rng.normal(1, 0.03, signals.size)
    scale, noise = np.exp(rng.uniform(np.log(250), np.log(4000))), rng.uniform(0.012, 0.025)
    kind = (np.uint16, np.int16)[int(rng.choice(2))]
    shading = _shading(p, rng)
    signal = signals.astype(np.float32)[tissues] * (1 + np.float32(0.03) * patient.grain(p))
    signal = _blurred(signal) * shading
    real, imaginary = rng.standard_normal((2, *tissues.shape), np.float32) * np.float32(noise)
    seen = np.hypot(signal + real, imaginary) * np.float32(scale)
    counts: NDArray[np.integer[Any]] = np.round(seen).astype(kind)
    return counts


def scan_ct(tissues: Tissues, p: Points, patient: Patient, rng: np.random.Generator) -> NDArray[np.int16]:
    """A CT: blurred, bone of uneven density, with noise.

    Args:
        tissues: Numbers of `Tissue`, shape (X, Y, Z).
        p: Where the voxels lie, in mm, each (X, Y, Z).
        patient: Whose tissues.
        rng: Draws the density of this patient's bone, and the noise.

    Returns:
        HU, shape (X, Y, Z), within `CT_LIMITS_HU`.
    """
    values = np.array([look.ct for look in _looks()], np.float32)
    values[_BONE] *= np.float32(rng.uniform(0.9, 1.1))
    density = np.isin(tissues, _BONE) * np.float32(0.1) * patient.grain(p)
    hu = _blurred(values[tissues] * (1 + density))
    hu += rng.standard_normal(tissues.shape, np.float32) * np.float32(rng.uniform(7, 13))
    return np.clip(np.round(hu), *CT_LIMITS_HU).astype(np.int16)


def _looks() -> list[Look]:
    return [LOOKS[tissue] for tissue in Tissue]


def _blurred(image: Floats) -> Floats:
    """The image as a scanner resolves it: half a voxel of blur, which also mixes tissues at their edges."""
    blurred: Floats = ndimage.gaussian_filter(image, 0.5, mode="nearest", truncate=3)
    return blurred


def _shading(p: Points, rng: np.random.Generator) -> Floats:
    """The sensitivity of the coils: a smooth factor about 1, brighter on one side than on the other."""
    x, y, z = (axis / np.float32(100) for axis in p)
    linear, square = rng.normal(0, 0.15, 3).astype(np.float32), rng.uniform(-0.18, 0.02, 3).astype(np.float32)
    exponent = linear[0] * x + linear[1] * y + linear[2] * z + square[0] * x * x + square[1] * y * y + square[2] * z * z
    shading: Floats = np.exp(exponent)
    return shading
