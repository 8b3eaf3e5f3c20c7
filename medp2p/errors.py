"""What medp2p refuses, as one tree of exceptions; each says what was needed, what was found and what to do.

Medp2pError
├── ConfigError         (ValueError)       a configuration, or an option, that cannot be meant
├── FileError           (OSError)          a file that is missing, damaged or of no use here
├── GeometryError       (ValueError)       grids that differ, or that are no grids
├── RegionError         (ValueError)       label maps, their names and their weights
│   └── EmptyRegionError                   a region without a voxel where one is needed
├── ModelError          (ValueError)       weights and model files
├── OutputExistsError   (FileExistsError)  never written over unless asked
└── TrainingError       (RuntimeError)     training that cannot go on
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import ParamSpec, Self, TypeVar

Where = str | PathLike[str] | None
T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and what to do about it.

    Attributes:
        path: The file or folder, as the user typed it; None where there is none.
        key: The key of a configuration, the argument or the case.
        line: The line of the file, counted from 1.
        message: `cause (found X, expected Y). Fix: …`, one line.

    Examples:
        >>> print(Fault("run.yaml", "training.epoks", 7, "unknown key. Fix: write epochs"))
        run.yaml:7: training.epoks: unknown key. Fix: write epochs
    """

    path: str | None
    key: str | None
    line: int | None
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.path and self.line else self.path
        return printable(": ".join(part for part in (place, self.key, self.message) if part))


def printable(text: str) -> str:
    r"""The text on one line, control characters shown instead of sent to a terminal.

    Examples:
        >>> printable("a\x1b[31mb\nc")
        'a\\x1b[31mb\\x0ac'
    """
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", lambda m: f"\\x{ord(m[0]):02x}", text)


def listed(names: Sequence[str], most: int) -> str:
    """The names on one line; of more than `most` the first ones, and how many there are in all.

    Examples:
        >>> listed(["S1", "S2", "S3"], 3), listed(["S1", "S2", "S3"], 2)
        ('S1, S2, S3', 'S1, S2, … (3 in all)')
    """
    return ", ".join(names[:most]) + (f", … ({len(names)} in all)" if len(names) > most else "")


def fault(
    path: Where,
    cause: str,
    *,
    found: object = None,
    expected: object = None,
    fix: str,
    key: str | None = None,
    line: int | None = None,
) -> Fault:
    """A Fault whose message has the form that every error of medp2p has.

    Examples:
        >>> fault("ct.nii.gz", "the grid differs", found="64 slices", expected="80", fix="resample it").message
        'the grid differs (found 64 slices, expected 80). Fix: resample it'
    """
    seen = [f"{word} {value}" for word, value in (("found", found), ("expected", expected)) if value is not None]
    return Fault(
        path=None if path is None else fspath(path),
        key=key,
        line=line,
        message=cause + (f" ({', '.join(seen)})" if seen else "") + f". Fix: {fix}",
    )


class Medp2pError(Exception):
    """Everything that medp2p refuses; `faults` lists what is wrong, one entry a fault.

    Attributes:
        faults: At least one Fault.
        exit_code: What the command line ends with: 2 for refused input, 1 where a machine or a training failed.
        told_elsewhere: Whether another process of the same training tells it, so that this one need not.
    """

    exit_code: int = 2
    told_elsewhere: bool = False
    faults: tuple[Fault, ...]

    def __init__(
        self,
        path: Where,
        cause: str,
        *,
        found: object = None,
        expected: object = None,
        fix: str,
        key: str | None = None,
        line: int | None = None,
    ) -> None:
        self._take((fault(path, cause, found=found, expected=expected, fix=fix, key=key, line=line),))

    @classmethod
    def several(cls, faults: Iterable[Fault]) -> Self:
        """One error for all the faults that were found; there must be one at least."""
        error = cls.__new__(cls)
        error._take(tuple(faults))
        return error

    def _take(self, faults: tuple[Fault, ...]) -> None:
        if not faults:
            raise ValueError("an error needs at least one fault")
        self.faults = faults
        self.args = (str(self),)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.faults, self.exit_code)


def _again(kind: type[Medp2pError], faults: tuple[Fault, ...], exit_code: int) -> Medp2pError:
    """An error on the other side of a process boundary."""
    error = kind.several(faults)
    error.exit_code = exit_code
    return error


def tried(faults: list[Fault], work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T | None:
    """What some work gives; or None, and what it refused is added to the faults, so that the next can be looked at.

    Raises:
        Medp2pError: The machine failed, which is no fault of the input.

    Examples:
        >>> def refuse(path: str) -> None:
        ...     raise FileError(path, "it is damaged", fix="copy it again")
        >>> faults: list[Fault] = []
        >>> tried(faults, len, "abc"), tried(faults, refuse, "ct.nii.gz"), *map(str, faults)
        (3, None, 'ct.nii.gz: it is damaged. Fix: copy it again')
    """
    try:
        return work(*given, **named)
    except Medp2pError as error:
        if error.exit_code != Medp2pError.exit_code:
            raise
        faults += error.faults
        return None


class ConfigError(Medp2pError, ValueError):
    """A configuration, or an option, that cannot be meant."""


class FileError(Medp2pError, OSError):
    """A file that is missing, damaged or of no use here."""


class GeometryError(Medp2pError, ValueError):
    """Grids that differ where they must not, or that are no grids."""


class RegionError(Medp2pError, ValueError):
    """Label maps, their names and their weights."""


class EmptyRegionError(RegionError):
    """A region without a voxel where one is needed."""


class ModelError(Medp2pError, ValueError):
    """Weights and model files that are damaged, unknown or of another kind."""


class OutputExistsError(Medp2pError, FileExistsError):
    """Something that exists would be written over."""


class TrainingError(Medp2pError, RuntimeError):
    """Training that cannot go on: it diverged, or the machine failed it."""

    exit_code = 1
