"""What can be wrong with a pair of scans although each file is sound, found before the first step of a training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from medp2p.body import find_body, overlap
from medp2p.config import Config
from medp2p.data.geometry import PlaneGrid
from medp2p.data.loading import LoadedCase
from medp2p.errors import Fault, fault
from medp2p.percentiles import percentiles
from medp2p.placement import describe_grid
from medp2p.volume import Array, Volume

HU_RANGE, BODY_OVERLAP = "hu_range", "body_overlap"
"""Checks that a case of a list may be allowed to fail."""
HU_LOW_BELOW = -500.0
"""HU: the 0.5th percentile of a CT lies below, since there is air around every patient."""
HU_HIGH = (200.0, 4000.0)
"""HU: between these lies the 99.5th percentile of a CT, since there is bone in every patient."""
OVERLAP_REFUSED, OVERLAP_DOUBTFUL = 0.75, 0.88
"""Dice of two bodies that are one patient's reaches 0.92 to 0.97, 20 mm off it is still 0.80."""
MASK_BESIDE = 0.1
"""Dice with the body found in the scan: a mask of the brain reaches 0.5, one of the whole volume 0.2."""
_PERCENT = (0.5, 99.5)
_SAMPLES = 200_000
"""Voxels of a first look; where that is not clear every voxel is counted."""
_MARGIN_HU = 100.0
"""HU: a first look that is clear by less is not trusted."""
_COARSE_MM = 5.0
"""Bodies are compared at about this spacing: the overlap is the same within 0.03, and found fifty times faster."""
_COARSE_SMOOTHING = 0.5
"""Of such few voxels: a Gaussian of a whole one would swell the body of an MR (measured: Dice 0.91 instead of 0.97)."""
_FEWEST = 24
"""Voxels that an axis keeps at least."""


@dataclass(frozen=True)
class Findings:
    """What was found: faults, which are refused, and warnings, which are told."""

    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]


def check_case(loaded: LoadedCase, config: Config) -> Findings:
    """Everything that can be seen in one case alone.

    Args:
        loaded: Its scans.
        config: Which channels are sources, targets and in HU.

    Returns:
        Faults: grids that differ, one image for two channels, values that cannot be HU or channels that were
        exchanged, bodies that do not lie on one another, a mask of the body that is empty or lies beside it.
        Warnings: constant images, bodies that hardly lie on one another.
    """
    ranges = {name: rough_range(volume) for name, volume in loaded.images.items()}
    constant = [name for name, (low, high) in ranges.items() if low == high and _is_constant(loaded.images[name])]
    faults = [*_other_grids(loaded), *_one_image_twice(loaded), *_empty_body(loaded)]
    not_hu = list(_not_hu(loaded, config, ranges))
    warnings = [f"{loaded.case.id}: {name} is constant, there is nothing to learn from it" for name in constant]
    if not faults and not not_hu and not constant:
        for refused, text in _overlaps(loaded, config):
            faults += [refused] if refused else []
            warnings += [text] if not refused else []
        faults += _mask_beside_body(loaded, config)
    return Findings((*faults, *not_hu), tuple(warnings))


def rough_range(volume: Volume) -> tuple[float, float]:
    """The 0.5th and 99.5th percentile of about `_SAMPLES` voxels, spread evenly: they show what is far from a limit."""
    step = max(1, round((volume.voxels.size / _SAMPLES) ** (1 / 3)))
    low, high = percentiles(volume.voxels[::step, ::step, ::step], _PERCENT)
    return low, high


def _is_constant(volume: Volume) -> bool:
    return bool(volume.voxels.min() == volume.voxels.max())


def _other_grids(loaded: LoadedCase) -> Iterator[Fault]:
    (first, grid), *others = loaded.volumes.items()
    for name, volume in others:
        if not volume.same_grid(grid):
            yield fault(
                loaded.case.files[name],
                f"{name} lies on another grid than {first}",
                key=loaded.case.id,
                found=f"{describe_grid(volume.shape, volume.affine)}, {volume.orientation}",
                expected=f"{describe_grid(grid.shape, grid.affine)}, {grid.orientation}",
                fix="bring the scans of a case onto one grid, as `medp2p prepare` does",
            )


def _one_image_twice(loaded: LoadedCase) -> Iterator[Fault]:
    for first, second in combinations(loaded.images, 2):
        if loaded.hashes[first] == loaded.hashes[second]:
            yield fault(
                loaded.case.files[second],
                f"{second} holds the same image as {first}",
                key=loaded.case.id,
                fix="give each channel its own scan",
            )


def _empty_body(loaded: LoadedCase) -> Iterator[Fault]:
    if loaded.body is not None and not loaded.body.any():
        yield fault(
            loaded.case.body, "the mask of the body is empty", key=loaded.case.id, fix="correct it, or remove it"
        )


def _mask_beside_body(loaded: LoadedCase, config: Config) -> Iterator[Fault]:
    """A mask that is turned inside out, or somebody else's: what is found as body has hardly a voxel of it."""
    name = next((name for name in loaded.volumes if config.intensity[name].hu), next(iter(loaded.volumes)))
    if loaded.body is None or BODY_OVERLAP in loaded.case.allow:
        return
    dice = beside_body(loaded.body, loaded.volumes[name], hu=config.intensity[name].hu)
    if dice is not None:
        yield fault(
            loaded.case.body,
            f"the mask does not lie on the body in {name}: is it turned inside out?",
            key=loaded.case.id,
            found=f"Dice {dice:.2f}",
            expected=f"{MASK_BESIDE} at least",
            fix="give the mask above 0 inside the body, or list the case with allow: [body_overlap]",
        )


def can_be_hu(low: float, high: float, *, margin: float = 0.0) -> bool:
    """Whether an image with these 0.5th and 99.5th percentiles can be in HU, by so many HU more than it must.

    Examples:
        >>> can_be_hu(-1004.0, 1200.0), can_be_hu(20.0, 2224.0), can_be_hu(-1.0, 3.0)
        (True, False, False)
    """
    return low < HU_LOW_BELOW - margin and HU_HIGH[0] + margin <= high <= HU_HIGH[1] - margin


def _not_hu(loaded: LoadedCase, config: Config, ranges: Mapping[str, tuple[float, float]]) -> Iterator[Fault]:
    if HU_RANGE in loaded.case.allow:
        return
    in_hu = [name for name in loaded.volumes if config.intensity[name].hu]
    for name in in_hu:
        if can_be_hu(*ranges[name], margin=_MARGIN_HU):
            continue
        low, high = percentiles(loaded.volumes[name].voxels, _PERCENT)
        if can_be_hu(low, high):
            continue
        exchanged = [other for other in loaded.volumes if other not in in_hu and can_be_hu(*ranges[other])]
        cause = f"{name} cannot be in HU" + (f", but {exchanged[0]} can: they were exchanged" if exchanged else "")
        convert = "convert it to HU (rescale slope and intercept), or list the case with allow: [hu_range]"
        yield fault(
            loaded.case.files[name],
            cause,
            key=loaded.case.id,
            found=f"0.5 % of the voxels below {low:g}, 0.5 % above {high:g}",
            expected=f"below {HU_LOW_BELOW:g}, and {HU_HIGH[0]:g} to {HU_HIGH[1]:g}",
            fix="exchange the files" if exchanged else convert,
        )


def _overlaps(loaded: LoadedCase, config: Config) -> Iterator[tuple[Fault | None, str]]:
    """A fault, or a warning, for each source and target, one of them in HU, whose bodies do not lie on one another."""
    if BODY_OVERLAP in loaded.case.allow:
        return
    pairs = [
        (source, target)
        for source in config.data.sources
        for target in config.data.target
        if config.intensity[source].hu or config.intensity[target].hu
    ]
    bodies = {
        name: coarse_body(loaded.volumes[name], hu=config.intensity[name].hu) for name in dict.fromkeys(sum(pairs, ()))
    }
    for source, target in pairs:
        dice = overlap(bodies[source], bodies[target])
        if dice < OVERLAP_REFUSED:
            yield _apart(loaded, source, target, dice), ""
        elif dice < OVERLAP_DOUBTFUL:
            text = f"{loaded.case.id}: the bodies in {source} and {target} hardly lie on one another"
            yield None, f"{text} (Dice {dice:.2f}, good pairs reach 0.92): look at them before you train"


def _apart(loaded: LoadedCase, source: str, target: str, dice: float) -> Fault:
    return fault(
        loaded.case.files[target],
        f"the body in {target} does not lie on the body in {source}",
        key=loaded.case.id,
        found=f"Dice {dice:.2f}",
        expected=f"{OVERLAP_REFUSED} at least",
        fix="register the scans (`medp2p prepare`), or list the case with allow: [body_overlap]",
    )


def coarse_body(scan: Volume, *, hu: bool) -> NDArray[np.bool_]:
    """The body in a scan on about every fifth millimetre of its grid."""
    return find_body(_coarse(scan), hu=hu, smoothing_voxels=_COARSE_SMOOTHING)


def beside_body(mask: Array, scan: Volume, *, hu: bool) -> float | None:
    """The Dice overlap of a mask and the body found in a scan where there is hardly any; else None."""
    found = coarse_body(scan, hu=hu)
    dice = overlap(found, _coarse(scan.with_voxels(mask)) > 0)
    return dice if found.any() and dice < MASK_BESIDE else None


def _coarse(scan: Volume) -> Array:
    """About every fifth millimetre of a scan, in RAS order."""
    array = scan.to_ras()
    spacing = PlaneGrid.of(scan, "axial", None).spacing_ras
    steps = (max(1, min(int(_COARSE_MM // mm), n // _FEWEST)) for mm, n in zip(spacing, array.shape, strict=True))
    return np.ascontiguousarray(array[tuple(slice(None, None, step) for step in steps)])
