"""What lies inside a synthetic skull: folded grey matter, white matter, ventricles, cerebellum, stem and lesions."""

from __future__ import annotations

import numpy as np

from medp2p.data.phantom_patient import Patient, Tissue, Tissues
from medp2p.data.phantom_shapes import Floats, Points, capsule, ellipsoid


def paint_brain(found: Tissues, p: Points, skull: Floats, patient: Patient) -> None:
    """Paints everything inside the skull, and the cord that leaves it, into `found`, in place."""
    canal = capsule(p, (0, -26, -56), (0, -34, -112), 9.5)
    cord = capsule(p, (0, -24, -50), (0, -34, -112), 5.5)
    found[canal < 0] = Tissue.CSF
    found[cord < 0] = Tissue.WHITE
    inside = skull < 0
    inner = p.at(inside)
    brain = np.full(inner.x.shape, Tissue.CSF, np.uint8)
    depth = -skull[inside] - np.float32(patient.gap)
    stem = np.minimum(capsule(inner, (0, -10, -22), (0, -26, -66), 11), ellipsoid(inner, (0, -6, -44), (16, 13, 13)))
    tent = inner.z + 10 + 0.55 * np.abs(inner.x) - 0.12 * (inner.y + 40)
    below = (inner.y < -8) & (tent < 0)
    _cerebrum(brain, inner, np.where(below, -1, depth), patient)
    folia = np.cos(depth * np.float32(2 * np.pi / 5.5))
    cerebellum = below & (depth > 0) & (tent < -2) & (stem > 1.2)
    brain[cerebellum] = Tissue.GREY
    brain[cerebellum & (depth > 4) & (folia > 0.2)] = Tissue.WHITE
    brain[(ellipsoid(inner.mirrored(), (14, -44, -40), (12, 12, 8)) < 0) & cerebellum] = Tissue.WHITE
    brain[stem < 0] = Tissue.WHITE
    brain[ellipsoid(inner, (0, -28, -42), (6, 4.5, 9)) < 0] = Tissue.CSF
    _lesions(brain, inner, patient)
    found[inside] = brain


def _cerebrum(brain: Tissues, p: Points, depth: Floats, patient: Patient) -> None:
    both, folds = p.mirrored(), np.abs(patient.folds(p))
    inside = depth > 0
    brain[inside] = Tissue.WHITE
    brain[inside & ((depth < 3.4) | ((folds < 0.8) & (depth < 21)))] = Tissue.GREY
    callosum = ellipsoid(p, (0, -4, 6), (14, 44, 22)) < 0
    brain[inside & (both.x < 5) & ~callosum & (depth > 3)] = Tissue.GREY
    for centre, radii in (((12, -10, -1), (8, 13, 8)), ((27, 4, 1), (6, 17, 10)), ((15, 18, 4), (6, 10, 9))):
        brain[inside & (ellipsoid(both, centre, radii) < 0)] = Tissue.GREY
    brain[inside & (folds < 0.17) & (depth < 16)] = Tissue.CSF
    brain[inside & (both.x < 1.4) & ~callosum] = Tissue.CSF
    sylvian = np.abs(p.z + 6 - 0.25 * p.y + 1.5 * patient.grain(p)) < 1.3
    brain[inside & sylvian & (both.x > 38) & (p.y > -30) & (p.y < 34)] = Tissue.CSF
    brain[inside & (_ventricles(p, patient) < 0)] = Tissue.CSF


def _ventricles(p: Points, patient: Patient) -> Floats:
    both = p.mirrored()
    size = np.where(p.x < 0, np.float32(patient.left_ventricle), np.float32(1)) * np.float32(patient.ventricles)
    shapes: list[tuple[tuple[float, float, float], tuple[float, float, float]]] = [
        ((10, -4, 15), (5.5, 26, 6)),
        ((13, 24, 9), (6, 12, 7)),
        ((21, -42, 6), (5, 17, 5.5)),
        ((30, -14, -16), (3, 13, 3)),
    ]
    third = ellipsoid(p, (0, -3, -4), (2.8, 12, 9))
    lateral = [ellipsoid(both, centre, radii) - (size - 1) * np.float32(min(radii)) for centre, radii in shapes]
    nearest: Floats = np.minimum.reduce([third, *lateral])
    return nearest


def _lesions(brain: Tissues, p: Points, patient: Patient) -> None:
    uneven = patient.grain(p)
    solid = (brain == Tissue.WHITE) | (brain == Tissue.GREY)
    for number, lesion in enumerate(patient.lesions):
        x, y, z = lesion.centre
        distance = np.sqrt((p.x - x) ** 2 + (p.y - y) ** 2 + (p.z - z) ** 2) - lesion.radius + 0.9 * uneven
        rim = 6.0 if number == 0 else 2.0
        brain[solid & (distance < rim)] = Tissue.OEDEMA
        brain[distance < 0] = Tissue.LESION
