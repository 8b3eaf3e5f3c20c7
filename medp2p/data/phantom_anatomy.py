"""The anatomy of a synthetic head: which tissue lies at which point.

Everything is a function of points alone, so that a head can be sampled on any grid without resampling.
"""

from __future__ import annotations

import numpy as np

from medp2p.data.phantom_brain import paint_brain
from medp2p.data.phantom_face import paint_face
from medp2p.data.phantom_patient import Patient, Tissue, Tissues
from medp2p.data.phantom_shapes import Floats, Points, blend, capsule, ellipsoid


def tissues(p: Points, patient: Patient) -> Tissues:
    """The tissue at every point.

    Args:
        p: Points of one shape, in mm, RAS+ from the middle of the skull.
        patient: Whose head.

    Returns:
        Numbers of `Tissue`, in the points' shape.
    """
    surface = _surface(p, patient)
    inside = surface < 0
    inner = p.at(inside)
    depth = -surface[inside]
    skull = _cavity(inner, patient)
    found = np.full(depth.shape, Tissue.MUSCLE, np.uint8)
    _soft_tissue(found, inner, depth, patient)
    _neck_and_jaw(found, inner)
    _skull(found, inner, depth, skull, patient)
    paint_face(found, inner, depth, patient)
    _ears(found, inner, patient)
    paint_brain(found, inner, skull, patient)
    everywhere = np.zeros(np.shape(p.x), np.uint8)
    everywhere[inside] = found
    return everywhere


def _surface(p: Points, patient: Patient) -> Floats:
    """Distance to the skin, negative inside the head."""
    both, wide = p.mirrored(), patient.face
    outer = tuple(axis + patient.skull + patient.scalp for axis in patient.cavity)
    surface = ellipsoid(p, (0, 0, 0), (outer[0], outer[1], outer[2]))
    front = patient.cavity[1]
    surface = blend(surface, ellipsoid(p, (0, 42, -62), (56 * wide, front - 30, 62)), 22)
    surface = blend(surface, ellipsoid(both, (18, front + 2, -13), (22, 10, 9)), 14)
    neck = np.sqrt((p.x / 56) ** 2 + ((p.y + 20) / 60) ** 2) * 56 - 56
    surface = blend(surface, np.maximum(neck, p.z + 62), 34)
    tip = front + 14 + patient.nose
    nose = capsule(p, (0, front + 7, -22), (0, tip - 9, -48), 8)
    nose = blend(nose, ellipsoid(both, (7, front + 12, -52), (8, 11, 7)), 8)
    surface = blend(surface, nose, 9)
    ear = ellipsoid(both, (patient.side + 3, -24, -34), (6.5, 14, 26))
    return blend(surface, ear, 4)


def _cavity(p: Points, patient: Patient) -> Floats:
    """Distance to the space that holds the brain, negative inside: an ellipsoid on a base that falls in steps."""
    ramp = np.clip((p.y + 30) / 85, 0, 1)
    base = -62 + 44 * ramp * ramp * (3 - 2 * ramp) + 6 * np.cos(p.x / 14) * (ramp > 0)
    distance: Floats = np.maximum(ellipsoid(p, (0, 0, 0), patient.cavity), (base - p.z) * np.float32(0.9))
    return distance


def _soft_tissue(found: Tissues, p: Points, depth: Floats, patient: Patient) -> None:
    septa = np.abs(patient.grain(p)) < 0.22
    found[septa & (p.z < -30)] = Tissue.FAT
    thickness = 2 + patient.fat * (1 + 0.25 * patient.folds(p) * (p.z > -40))
    found[depth < thickness] = Tissue.FAT
    cheek = ellipsoid(p.mirrored(), (42 * patient.face, 58, -66), (14, 18, 20)) < 0
    found[cheek] = Tissue.FAT
    found[depth < 1.9] = Tissue.SKIN


def _neck_and_jaw(found: Tissues, p: Points) -> None:
    both = p.mirrored()
    ramus = capsule(both, (50, 10, -58), (46, 26, -110), 7)
    found[ramus < 0] = Tissue.COMPACT_BONE
    found[ramus < -2.2] = Tissue.SPONGY_BONE
    ring = np.sqrt((p.x / 1.2) ** 2 + (p.y + 31) ** 2)
    vertebra = (ring < 18) & (p.z < -76) & (np.mod(p.z + 76, 17) < 13)
    mass = ellipsoid(both, (22, -24, -84), (11, 11, 7))
    found[vertebra | (mass < 0)] = Tissue.COMPACT_BONE
    found[(vertebra & (ring < 15.5)) | (mass < -2.2)] = Tissue.SPONGY_BONE
    arch = np.sqrt((p.x / 27) ** 2 + ((p.y - 44) / 40) ** 2) * 32
    teeth = (np.abs(arch - 32) < 4) & (p.y > 44) & (p.z < -79)
    found[teeth] = Tissue.SPONGY_BONE
    crowns = teeth & (p.z < -83) & (np.mod(np.arctan2(p.x, p.y - 44) * 6.5 + 0.5, 1) < 0.8)
    found[crowns] = Tissue.TOOTH


def _skull(found: Tissues, p: Points, depth: Floats, skull: Floats, patient: Patient) -> None:
    thickness = patient.skull * (1 + 0.1 * patient.grain(p) + 0.25 * (p.y < -60) + 0.15 * (p.z < -20))
    bone = (skull < thickness) & (depth > 2.6)
    table = 1.7 + 0.1 * thickness
    found[bone] = Tissue.COMPACT_BONE
    found[bone & (skull > table) & (skull < thickness - table)] = Tissue.SPONGY_BONE
    pyramid = capsule(p.mirrored(), (16, 2, -44), (54, -24, -44), 9)
    found[pyramid < 0] = Tissue.DENSE_BONE
    mastoid = ellipsoid(p.mirrored(), (54, -30, -54), (13, 17, 20))
    found[(mastoid < 0) & (depth > 5)] = Tissue.COMPACT_BONE
    found[(mastoid < -2.5) & (patient.cells(p) > 0.1) & (depth > 8)] = Tissue.AIR


def _ears(found: Tissues, p: Points, patient: Patient) -> None:
    both, side = p.mirrored(), patient.side
    canal = capsule(both, (side + 12, -18, -38), (46, -12, -38), 3.4)
    found[(canal < 3.5) & (both.x < side - 9)] = Tissue.DENSE_BONE
    found[(canal < 2.2) & (both.x >= side - 9)] = Tissue.SKIN
    found[canal < 0] = Tissue.AIR
    found[ellipsoid(both, (43, -10, -40), (5, 6, 7)) < 0] = Tissue.AIR
