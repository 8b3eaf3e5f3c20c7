"""What was measured in one region: its values, and the reason for each that cannot be given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

METRICS: Final = ("mae", "me", "psnr", "ssim", "ms_ssim")
"""Metrics that every case and region has a row for."""
FURTHER_METRICS: Final = ("scale", "dice", "hd95")
"""Metrics with rows only where they exist."""
Direction = Literal["lower", "higher", "nearer 0", "nearer 1"]
BETTER: Final[Mapping[str, Direction]] = {
    "mae": "lower",
    "me": "nearer 0",
    "psnr": "higher",
    "ssim": "higher",
    "ms_ssim": "higher",
    "scale": "nearer 1",
    "dice": "higher",
    "hd95": "lower",
}


@dataclass(frozen=True)
class Measured:
    """The scores of one region.

    Attributes:
        voxels: How many voxels were scored.
        values: Metrics that could be given; a PSNR may be infinite.
        reasons: Why the others could not, one sentence each.
    """

    voxels: int
    values: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def undefined(voxels: int, reason: str) -> Measured:
    """A region of which nothing can be given, for one reason."""
    return Measured(voxels, {}, dict.fromkeys(METRICS, reason))


def is_better(metric: str, new: float | None, best: float | None) -> bool:
    """Whether a score beats the best one so far.

    Args:
        metric: One of METRICS or FURTHER_METRICS.
        new: The score; None or a value that is not finite never wins.
        best: The best so far; None where there is none yet.

    Examples:
        >>> is_better("mae", 30.0, 40.0), is_better("psnr", 30.0, 40.0), is_better("me", -1.0, 5.0)
        (True, False, True)
        >>> is_better("psnr", float("inf"), None), is_better("ssim", 0.1, None)
        (False, True)
    """
    if new is None or not _finite(new):
        return False
    if best is None or not _finite(best):
        return True
    return merit(metric, new) > merit(metric, best)


def merit(metric: str, value: float) -> float:
    """A number that is larger the better a score is.

    Examples:
        >>> merit("me", -3.0), merit("ssim", 0.5)
        (-3.0, 0.5)
    """
    direction = BETTER[metric]
    if direction == "higher":
        return value
    return -{"lower": value, "nearer 0": abs(value), "nearer 1": abs(value - 1)}[direction]


def _finite(value: float) -> bool:
    return value - value == 0
