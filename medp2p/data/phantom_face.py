"""The face of a synthetic head: orbits, nose, throat, sinuses and the bones between them."""

from __future__ import annotations

import numpy as np

from medp2p.data.phantom_patient import Patient, Tissue, Tissues
from medp2p.data.phantom_shapes import Floats, Points, capsule, ellipsoid


def paint_face(found: Tissues, p: Points, depth: Floats, patient: Patient) -> None:
    """Paints the face into `found`, in place: later strokes lie over earlier ones."""
    both, front = p.mirrored(), patient.cavity[1]
    zygoma = capsule(both, (30, front - 14, -46), (52 * patient.face, front - 32, -46), 6)
    arch = capsule(both, (52 * patient.face, front - 32, -46), (62 * patient.face, 2, -42), 4)
    maxilla = ellipsoid(p, (0, front - 22, -62), (35, 24, 19))
    found[(np.minimum(np.minimum(zygoma, arch), maxilla) < 0) & (depth > 4)] = Tissue.SPONGY_BONE
    found[(np.abs(maxilla) < 1.6) & (depth > 4)] = Tissue.COMPACT_BONE
    bridge = capsule(p, (0, front + 6, -18), (0, front + 15, -34), 4.5)
    found[(bridge < 0) & (depth > 1.9)] = Tissue.COMPACT_BONE
    _orbits(found, both, depth, front)
    _nose_and_throat(found, p, depth, patient)
    _sinuses(found, p, depth, patient)


def _orbits(found: Tissues, both: Points, depth: Floats, front: float) -> None:
    orbit = ellipsoid(both, (30, front - 20, -32), (17, 31, 17))
    found[(orbit < 2.4) & (depth > 4)] = Tissue.COMPACT_BONE
    found[(orbit < 0) & (depth > 1.9)] = Tissue.FAT
    eye = ellipsoid(both, (31, front - 5, -32), (12.3, 12.3, 12.3))
    muscle = np.hypot(both.x - 29, both.z + 32)
    found[
        (np.abs(muscle - 11) < 1.6)
        & (np.abs(np.sin(2 * np.arctan2(both.z + 32, both.x - 29))) < 0.5)
        & (orbit < -1)
        & (eye > 0)
    ] = Tissue.MUSCLE
    found[capsule(both, (31, front - 16, -32), (12, 30, -30), 2.4) < 0] = Tissue.NERVE
    found[eye < 1.2] = Tissue.MUCOSA
    found[eye < 0] = Tissue.EYE
    found[ellipsoid(both, (31, front + 4, -32), (4.5, 2.6, 4.5)) < 0] = Tissue.LENS


def _nose_and_throat(found: Tissues, p: Points, depth: Floats, patient: Patient) -> None:
    front = patient.cavity[1]
    nasal = ellipsoid(p, (0, front - 16, -52), (13, 35, 19))
    found[(nasal < 2) & (depth > 2.5)] = Tissue.COMPACT_BONE
    found[(nasal < 0) & (depth > 2.5)] = Tissue.MUCOSA
    turbinates = np.hypot(np.abs(p.x) - 8, np.mod(p.z + 52 + 5.5, 11) - 5.5)
    found[(nasal < -1.5) & (depth > 4) & (turbinates > 3.8) & (np.abs(p.x) > 1.6)] = Tissue.AIR
    throat = capsule(p, (0, 34, -60), (0, 12, -104), 9)
    found[throat < 2] = Tissue.MUCOSA
    found[throat < 0] = Tissue.AIR
    palate = (np.abs(p.z + 73) < 2.6) & (ellipsoid(p, (0, front - 26, -73), (24, 26, 20)) < 0)
    found[palate] = Tissue.COMPACT_BONE


def _sinuses(found: Tissues, p: Points, depth: Floats, patient: Patient) -> None:
    both, front = p.mirrored(), patient.cavity[1]
    maxillary = ellipsoid(both, (26, front - 22, -60), (12, 16, 15))
    frontal = ellipsoid(both, (11, front + patient.skull * 0.45, -8), (10.5, 4.8, 12))
    sphenoid = ellipsoid(both, (8, 24, -46), (7.5, 11, 8.5))
    for sinus in (maxillary, frontal, sphenoid):
        found[(sinus < 2.2) & (depth > 3)] = Tissue.COMPACT_BONE
        found[(sinus < 0) & (depth > 4)] = Tissue.AIR
    found[(maxillary < 0) & (p.x > 0) & (p.z < patient.fluid_level)] = Tissue.FLUID
    ethmoid = ellipsoid(p, (0, front - 26, -34), (11, 22, 9))
    walls = np.minimum(np.abs(np.mod(p.x + 4.5, 9) - 4.5), np.abs(np.mod(p.y, 9) - 4.5))
    found[ethmoid < 0] = Tissue.COMPACT_BONE
    found[(ethmoid < -1) & (walls > 1.1)] = Tissue.AIR
