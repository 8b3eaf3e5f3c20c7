"""Numbers by which a registration is judged, and the verdict: good, look, or failed."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from medp2p.body import overlap as dice
from medp2p.preparation.deformation import least_jacobian
from medp2p.preparation.options import PreparationOptions
from medp2p.preparation.pyramid import Pair
from medp2p.preparation.registration import Registration
from medp2p.volume import Volume

GOOD, LOOK, FAILED = "good", "look", "failed"
VERDICTS = (FAILED, LOOK, GOOD)
"""Worst first."""
FAR_DEGREES, FAR_MM = 25.0, 100.0
"""A turn or a shift beyond is possible, and rare enough to be looked at."""
SQUEEZED = 0.5
"""A change of volume below is to be looked at."""
LITTLE_INFORMATION = 0.1
"""Nats below which two scans hardly know of each other; pairs of contrasts of one head have 0.7 to 1 [measured]."""
_LOST = 0.02
"""Nats by which the information may seem to fall where the headers were right to begin with: noise of the sampling."""
_POINTS = 4000
"""Of the body, at most, whose displacement is measured."""


@dataclass(frozen=True)
class Quality:
    """How well one scan was moved onto another.

    Attributes:
        information_before: Mutual information in nats as the headers place the scans; None where they do not meet.
        information_after: After registration.
        shift_mm: How far the body was moved, on average over its voxels.
        shift_max_mm: At most.
        rotation_degrees: How far it was turned; of a deformation, its rigid part.
        overlap: Share of the fixed scan's body that lies in the moved scan's field of view.
        body_dice: Overlap of the two bodies there; None where neither is.
        least_jacobian: The smallest change of volume; 1 for a rigid transform, 0 or less where the scan is folded.
        start: From where the registration went off.
    """

    information_before: float | None
    information_after: float | None
    shift_mm: float
    shift_max_mm: float
    rotation_degrees: float
    overlap: float
    body_dice: float | None
    least_jacobian: float
    start: str

    def to_dict(self) -> dict[str, float | str | None]:
        """Plain data, rounded to what is meant."""
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def measure(pair: Pair, found: Registration, *, moved_body: NDArray[np.bool_], covered: NDArray[np.bool_]) -> Quality:
    """The numbers of one registration.

    Args:
        pair: The two scans.
        found: What was found.
        moved_body: The body of the moving scan on the grid of the fixed one.
        covered: Where the moving scan has data there.
    """
    body = pair.fixed.body
    mean, largest, degrees = displacement(pair.fixed.volume, body, found.transform)
    seen = body & covered
    return Quality(
        information_before=found.information_before,
        information_after=found.information_after,
        shift_mm=mean,
        shift_max_mm=largest,
        rotation_degrees=degrees,
        overlap=float(np.count_nonzero(seen)) / max(1, int(np.count_nonzero(body))),
        body_dice=dice(seen, moved_body & covered) if seen.any() or moved_body.any() else None,
        least_jacobian=least_jacobian(found.transform, pair),
        start=found.start,
    )


def displacement(volume: Volume, body: NDArray[np.bool_], transform: sitk.Transform) -> tuple[float, float, float]:
    """How far a transform moves the body of a scan: mean and largest way in mm, and the turn in degrees.

    Source:
        Turn: Kabsch, A solution for the best rotation to relate two sets of vectors, Acta Cryst. A32 (1976).
    """
    indices = np.argwhere(body if body.any() else np.ones(volume.shape, bool))
    indices = indices[:: max(1, len(indices) // _POINTS)]
    here = (indices @ volume.affine[:3, :3].T + volume.affine[:3, 3]) * (-1, -1, 1)
    there = np.array([transform.TransformPoint(point) for point in here.tolist()])
    ways = np.linalg.norm(there - here, axis=1)
    left, _, right = np.linalg.svd((here - here.mean(0)).T @ (there - there.mean(0)))
    turn = right.T @ np.diag([1, 1, np.sign(np.linalg.det(right.T @ left.T))]) @ left.T
    degrees = float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
    return float(ways.mean()), float(ways.max()), degrees


def judge(quality: Quality, options: PreparationOptions) -> tuple[str, tuple[str, ...]]:
    """The verdict on one registration, and why it is not good."""
    failed: list[str] = []
    look: list[str] = []
    if quality.body_dice is None or quality.information_after is None:
        failed.append("nothing of the two bodies meets")
    else:
        _against(quality.body_dice, "the bodies overlap by Dice", options.dice_failed, options.dice_look, failed, look)
    _against(quality.overlap, "share of the body in view", options.overlap_failed, options.overlap_look, failed, look)
    before, after = quality.information_before, quality.information_after
    if after is not None and after < LITTLE_INFORMATION:
        look.append(f"hardly any mutual information: {after:.3f} nats")
    if before is not None and after is not None and after < before - _LOST:
        look.append(f"mutual information fell from {before:.3f} to {after:.3f}")
    if quality.rotation_degrees > FAR_DEGREES or quality.shift_mm > FAR_MM:
        look.append(f"moved far: {quality.shift_mm:.0f} mm and {quality.rotation_degrees:.0f} degrees")
    if quality.least_jacobian <= 0:
        failed.append("the transform folds the scan")
    elif quality.least_jacobian < SQUEEZED:
        look.append(f"squeezed to {quality.least_jacobian:.2f} of its volume somewhere")
    return (FAILED if failed else LOOK if look else GOOD), (*failed, *look)


def worst(verdicts: Iterable[str]) -> str:
    """The worst of several verdicts, good where there is none."""
    given = set(verdicts)
    return next((verdict for verdict in VERDICTS if verdict in given), GOOD)


def _against(
    value: float, what: str, failed_below: float, look_below: float, failed: list[str], look: list[str]
) -> None:
    if value < failed_below:
        failed.append(f"{what} {value:.2f}, expected {failed_below:g} at least")
    elif value < look_below:
        look.append(f"{what} {value:.2f}, expected {look_below:g}")
