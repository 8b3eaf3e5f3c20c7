"""Which patients are held out: by patient, never by slice or scan, and the same whatever the order of the files."""

import hashlib
from collections.abc import Iterable
from fractions import Fraction
from math import floor

from medp2p.errors import ConfigError

TRAIN, VALIDATION, TEST = "train", "validation", "test"


def split_patients(patients: Iterable[str], *, validation: float, test: float, seed: int) -> dict[str, str]:
    """The split of every patient.

    Patients are taken in the order of the SHA-256 (hex) of `seed:patient`: the first are test, the next validation,
    the rest train. A share is rounded half up; one above 0 gets a patient at least.

    Args:
        patients: Their names, in any order; repeated ones count once.
        validation: Share of the patients, from 0 to 1.
        test: Share of the patients, from 0 to 1.
        seed: `training.seed`.

    Returns:
        `train`, `validation` or `test` for each patient, in the order described.

    Raises:
        ConfigError: No patient would be left to train on; the message gives the numbers.

    Examples:
        >>> list(split_patients(["P1", "P2", "P3"], validation=0.1, test=0.2, seed=0).values())
        ['test', 'validation', 'train']
    """
    ordered = sorted(set(patients), key=lambda patient: hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest())
    held_out, chosen = _share(test, len(ordered)), _share(validation, len(ordered))
    if held_out + chosen >= len(ordered):
        raise ConfigError(
            None,
            "no patient is left to train on",
            key="data.split",
            found=f"{len(ordered)} patients: {held_out} test, {chosen} validation",
            expected="at least one more",
            fix="add patients, or hold out fewer (a share of 0 holds out none)",
        )
    kinds = [TEST] * held_out + [VALIDATION] * chosen + [TRAIN] * (len(ordered) - held_out - chosen)
    return dict(zip(ordered, kinds, strict=True))


def _share(fraction: float, count: int) -> int:
    """Patients in a share; of the decimal number that was written, so that 0.145 of 100 is 15 and not 14."""
    if not fraction:
        return 0
    return max(1, floor(Fraction(str(fraction)) * count + Fraction(1, 2)))
