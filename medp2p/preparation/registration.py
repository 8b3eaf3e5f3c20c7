"""One scan moved onto another: from the best of several starts, coarse to fine, rigid and then, if asked, more."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from medp2p.errors import GeometryError
from medp2p.preparation.deformation import affine, bspline
from medp2p.preparation.options import PreparationOptions
from medp2p.preparation.pyramid import Level, Pair, Point
from medp2p.preparation.search import climb, mutual_information, refine

NODS_DEGREES = (0.0, -18.0, 18.0)
"""How far a head may be nodded between two scanners: the turn that differs most, since head-rests differ."""
LEAST_SHARE_OF_OVERLAP = 0.6
"""A start that leaves less of the body compared than this share of the best one's is none: a sliver fits anywhere."""
LEAST_OVERLAP = 0.05
"""Of the body; a start with less is not tried."""
HEADERS = "headers"


@dataclass(frozen=True)
class Registration:
    """How one scan is moved onto another.

    Attributes:
        transform: From points of the fixed scan to points of the moving one, LPS, mm.
        start: Which start led there.
        information_before: Mutual information in nats as the headers place the scans; None where they do not meet.
        information_after: The same under the transform, from the same voxels.
    """

    transform: sitk.Transform
    start: str
    information_before: float | None
    information_after: float | None


@dataclass(frozen=True)
class _Tried:
    start: str
    transform: sitk.Euler3DTransform
    information: float
    overlap: float


def register(pair: Pair, options: PreparationOptions) -> Registration:
    """The transform that brings one scan onto another, by Mattes mutual information.

    Args:
        pair: The two scans.
        options: Which kind of transform, and the seed.

    Raises:
        GeometryError: No start makes the two scans overlap.
    """
    transform, start = (sitk.Euler3DTransform(), HEADERS) if options.transform == "none" else _rigid(pair, options.seed)
    found: sitk.Transform = transform
    if options.transform == "affine":
        found = affine(pair, transform, seed=options.seed)
    elif options.transform == "bspline":
        found = bspline(pair, transform, spacing_mm=options.bspline_spacing_mm, seed=options.seed)
    before, after = (
        mutual_information(pair.finest, each, seed=options.seed) for each in (sitk.Euler3DTransform(), found)
    )
    return Registration(found, start, before, after)


def starts(pair: Pair) -> dict[str, sitk.Euler3DTransform]:
    """Where to begin: as the headers say, with the grids' middles or the bodies' centres aligned, and nodded."""
    centre = pair.fixed.body_centre
    begin = {
        HEADERS: _turned(centre, np.zeros(3)),
        "middles of the grids": _turned(centre, pair.moving.grid_centre - pair.fixed.grid_centre),
    }
    for degrees in NODS_DEGREES:
        nodded = f", nodded by {degrees:g} degrees" if degrees else ""
        begin[f"centres of the bodies{nodded}"] = _turned(centre, pair.moving.body_centre - centre, degrees)
    return begin


def _rigid(pair: Pair, seed: int) -> tuple[sitk.Euler3DTransform, str]:
    """From every start at the coarsest level, from the best of them to the finest."""
    coarsest, *finer, finest = pair.levels
    tried = [
        found
        for name, start in starts(pair).items()
        if (found := _try(pair.levels[coarsest], coarsest, name, start, seed)) is not None
    ]
    if not tried:
        raise GeometryError(
            None,
            "the two scans could not be brought together: from no start does one overlap the other",
            fix="look at both; if one of them shows no body, leave it out",
        )
    widest = max(each.overlap for each in tried)
    best = max(
        (each for each in tried if each.overlap >= LEAST_SHARE_OF_OVERLAP * widest), key=lambda each: each.information
    )
    transform = best.transform
    for mm in finer:
        transform = sitk.Euler3DTransform(climb(pair.levels[mm], transform, seed=seed, level_mm=mm))
    transform = sitk.Euler3DTransform(refine(pair.levels[finest], transform, seed=seed, level_mm=finest))
    return transform, best.start


def _try(level: Level, mm: float, name: str, start: sitk.Euler3DTransform, seed: int) -> _Tried | None:
    if mutual_information(level, start, seed=seed) is None or overlap(level, start) < LEAST_OVERLAP:
        return None
    found = sitk.Euler3DTransform(climb(level, start, seed=seed, level_mm=mm))
    information = mutual_information(level, found, seed=seed)
    return None if information is None else _Tried(name, found, information, overlap(level, found))


def overlap(level: Level, transform: sitk.Transform) -> float:
    """Share of the voxels compared that lie in the moving scan."""
    ones = sitk.Image(level.moving.GetSize(), sitk.sitkUInt8)
    ones.CopyInformation(level.moving)
    there = sitk.Resample(ones + 1, level.fixed, transform, sitk.sitkNearestNeighbor, 0)
    inside = np.count_nonzero(sitk.GetArrayViewFromImage(sitk.And(there, level.mask)))
    return float(inside) / max(1, level.voxels)


def _turned(centre: Point, shift_mm: Point, nod_degrees: float = 0.0) -> sitk.Euler3DTransform:
    transform = sitk.Euler3DTransform()
    transform.SetCenter(centre.tolist())
    transform.SetTranslation(shift_mm.tolist())
    transform.SetRotation(float(np.deg2rad(nod_degrees)), 0.0, 0.0)
    return transform
