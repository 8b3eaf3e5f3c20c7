"""What the machine says when a file cannot be opened, read or written, as one line of ours that names the path."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike, fspath

from medp2p.errors import FileError, Medp2pError

_MACHINE_FAILED = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
"""Faults of the machine, not of what was asked: the command line ends with 1."""

_CAUSES = {
    errno.ENOENT: ("there is no such file or folder", "check the path"),
    errno.ENOTDIR: ("a part of the path is no folder", "check the path"),
    errno.EISDIR: ("this is a folder", "give a file"),
    errno.EACCES: ("permission denied", "ask for the right to use it, or choose another place"),
    errno.EPERM: ("permission denied", "ask for the right to use it, or choose another place"),
    errno.EROFS: ("the file system is read-only", "choose another place"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one"),
    errno.ELOOP: ("a symbolic link that leads nowhere", "give the file itself"),
    errno.ENXIO: ("this is no regular file", "give a file"),
    errno.EMFILE: ("too many files are open in this process", "raise the limit (ulimit -n)"),
    errno.ENFILE: ("too many files are open on this machine", "raise the limit"),
    errno.ENOSPC: ("no space left on the device", "make space, then run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "make space, then run the same command again"),
    errno.EFBIG: ("the file grows larger than is allowed here", "raise the limit (ulimit -f), or choose another place"),
    errno.EIO: ("the device failed (input/output error)", "check the disk or the network share"),
}


def file_error(path: str | PathLike[str], error: OSError, *, doing: str = "read") -> FileError:
    """An OSError as a FileError that names the path as it was typed.

    Args:
        path: What the user asked for; never the temporary name that we gave it.
        error: What the system said.
        doing: `read` or `written`, as in "cannot be written".

    Returns:
        The error to raise; its `exit_code` is 1 where the machine failed, as with a full disk.

    Examples:
        >>> error = file_error("ct.nii.gz", OSError(errno.ENOSPC, "No space left on device"), doing="written")
        >>> print(error, error.exit_code)
        ct.nii.gz: cannot be written: no space left on the device. Fix: make space, then run the same command again 1
    """
    number = error.errno or 0
    said = os.strerror(number).lower() if number else type(error).__name__
    cause, fix = _CAUSES.get(number, (said, "check the path and the disk"))
    if number == errno.ENOENT and os.path.islink(path):  # noqa: PTH114 - the path may be a string
        cause, fix = "a link to a file that is not there", "bring the file to where the link leads (datalad get)"
    ours = FileError(path, f"cannot be {doing}: {cause}", fix=fix)
    ours.errno = number
    if number in _MACHINE_FAILED:
        ours.exit_code = 1
    return ours


def memory_error(path: str | PathLike[str], needed_bytes: int | None = None) -> FileError:
    """The memory did not suffice for a file: the machine's fault, exit code 1.

    Examples:
        >>> print(memory_error("ct.nii.gz", 3 * 2**30))
        ct.nii.gz: not enough memory (expected 3.0 GiB). Fix: close other programs, or use a machine with more memory
    """
    ours = FileError(
        path,
        "not enough memory",
        expected=None if needed_bytes is None else f"{needed_bytes / 2**30:.1f} GiB",
        fix="close other programs, or use a machine with more memory",
    )
    ours.exit_code = 1
    return ours


@contextmanager
def as_file_error(path: str | PathLike[str], *, doing: str = "written") -> Iterator[None]:
    """What the system says inside, as a FileError that names the path; see `file_error`.

    Examples:
        >>> with as_file_error("runs/mr2ct", doing="made"):
        ...     raise PermissionError(errno.EACCES, "Permission denied")
        Traceback (most recent call last):
        medp2p.errors.FileError: runs/mr2ct: cannot be made: permission denied. Fix: ...
    """
    try:
        yield
    except Medp2pError:
        raise
    except OSError as error:
        raise file_error(path, error, doing=doing) from None


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Give the faults of what is checked inside the file that they were found in.

    Examples:
        >>> from medp2p.volume import Volume
        >>> with naming("ct.nii.gz"):
        ...     Volume([[0.0]], [[1.0]])
        Traceback (most recent call last):
        medp2p.errors.GeometryError: ct.nii.gz: this is no volume (found shape (1, 1), ...
    """
    try:
        yield
    except Medp2pError as error:
        named = type(error).several(
            fault if fault.path else replace(fault, path=fspath(path)) for fault in error.faults
        )
        named.exit_code = error.exit_code
        raise named from None
