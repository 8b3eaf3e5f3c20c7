"""JointErrors: how predicted and reference values go together over a body, small enough to keep for every case."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BINS: Final = 64


@dataclass(frozen=True, eq=False)
class JointErrors:
    """Counts and errors by value.

    Attributes:
        low: Lower end of the first bin, in `unit`.
        high: Upper end of the last; values beyond the ends count in the outermost bins.
        unit: Unit of both, or `range` for fractions of the data range.
        counts: Voxels by bin of the reference (rows) and of the prediction (columns), 64 x 64.
        signed: Sum of predicted - reference by bin of the reference, in `unit`.
        absolute: Sum of its magnitude.
    """

    low: float
    high: float
    unit: str
    counts: NDArray[np.int64]
    signed: NDArray[np.float64]
    absolute: NDArray[np.float64]

    @classmethod
    def of(cls, predicted: Array, reference: Array, *, low: float, high: float, unit: str) -> Self:
        """Of the voxels of a body, flat arrays in `unit`."""
        given, wanted = predicted.astype(np.float64), reference.astype(np.float64)
        rows, columns = (_bins(values, low, high) for values in (wanted, given))
        error = given - wanted
        return cls(
            low,
            high,
            unit,
            np.bincount(rows * BINS + columns, minlength=BINS**2).reshape(BINS, BINS),
            np.asarray(np.bincount(rows, error, BINS), np.float64),
            np.asarray(np.bincount(rows, np.abs(error), BINS), np.float64),
        )

    def __add__(self, other: "JointErrors") -> "JointErrors":
        return JointErrors(
            self.low,
            self.high,
            self.unit,
            self.counts + other.counts,
            self.signed + other.signed,
            self.absolute + other.absolute,
        )

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middle of each bin, in `unit`."""
        return np.asarray(self.low + (np.arange(BINS) + 0.5) * (self.high - self.low) / BINS)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "low": self.low,
            "high": self.high,
            "unit": self.unit,
            "counts": self.counts.ravel().tolist(),
            "signed": self.signed.tolist(),
            "absolute": self.absolute.tolist(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(
            value["low"],
            value["high"],
            value["unit"],
            np.array(value["counts"], np.int64).reshape(BINS, BINS),
            np.array(value["signed"], np.float64),
            np.array(value["absolute"], np.float64),
        )


def _bins(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.int64]:
    return np.asarray(np.clip((values - low) * (BINS / (high - low)), 0, BINS - 1), np.int64)
