"""Temporary names of files and folders being written: held by a lock that dies with its process, so stale ones show."""

import contextlib
import os
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

if sys.platform != "win32":  # there, an open file cannot be removed anyway
    import fcntl

PathLike = str | os.PathLike[str]
_TEMPORARY = re.compile(r"\.medp2p-([A-Za-z0-9-]{1,16})-\d+-[0-9a-f]{8}\.tmp")
"""Host, process and a random end: short, since an output's own name may be 251 bytes long."""
_being_written: set[Path] = set()
"""What this process has under temporary names, from before each is made until it is gone."""
_HOST = re.sub(r"[^A-Za-z0-9]", "-", socket.gethostname())[:16] or "host"


def sweep_stale(folder: PathLike, *, exclusive: bool = False) -> int:
    """Remove what killed processes left of their writing in a folder.

    Args:
        folder: Looked at alone, not what is below it; a folder that is not there holds nothing.
        exclusive: The caller holds the folder's lock, so that whatever is temporary there is stale. Without it only
            what no living process of this machine is writing goes.

    Returns:
        How many files and folders were removed.
    """
    try:
        entries = [Path(entry.path) for entry in os.scandir(folder) if _TEMPORARY.fullmatch(entry.name)]
    except OSError:
        return 0
    return sum(_removed(entry) if exclusive else _removed_if_stale(entry) for entry in entries)


def sweep_own() -> None:
    """Remove what this process itself was writing: a signal may come between the making of a file and its `try`.

    To be called once nothing of the process writes any more.
    """
    for entry in tuple(_being_written):
        remove_temporary(entry)


def remove_temporary(entry: Path) -> None:
    """Remove a temporary file or folder of this process, if it is still there."""
    _removed(entry)
    _being_written.discard(entry)


def is_temporary(name: str) -> bool:
    """Whether a file of that name is a temporary one of this writer."""
    return _TEMPORARY.fullmatch(name) is not None


class RecordingFile(FileIO):
    """A file that remembers why a write failed, since writers in native code swallow it."""

    failure: OSError | None = None

    def write(self, content: Any) -> int:
        """Write, and remember what stopped it."""
        try:
            return super().write(content)
        except OSError as error:
            self.failure = error
            raise


def new_temporary_file(folder: Path) -> tuple[RecordingFile, Path]:
    """A new file that its owner alone may read, open for writing and locked, and its path."""
    while True:
        temporary = temporary_name(folder)
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        with _noted(temporary):
            descriptor = os.open(temporary, flags, 0o600)
        _lock(descriptor)
        if status_of(temporary) is not None:
            return RecordingFile(descriptor, "wb"), temporary
        os.close(descriptor)  # somebody swept it between its making and its lock
        _being_written.discard(temporary)


def new_temporary_folder(folder: Path) -> tuple[Path, int | None]:
    """A new folder that its owner alone may enter, and the descriptor that locks it (None on Windows)."""
    while True:
        temporary = temporary_name(folder)
        with _noted(temporary):
            temporary.mkdir(mode=0o700)
        if sys.platform == "win32":
            return temporary, None
        descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
        _lock(descriptor)
        if status_of(temporary) is not None:
            return temporary, descriptor
        os.close(descriptor)
        _being_written.discard(temporary)


@contextlib.contextmanager
def _noted(temporary: Path) -> Iterator[None]:
    """Remember a name before something gets it."""
    _being_written.add(temporary)
    try:
        yield
    except OSError:
        _being_written.discard(temporary)
        raise


def temporary_name(folder: Path) -> Path:
    """A name that nothing in a folder has yet."""
    return folder / f".medp2p-{_HOST}-{os.getpid()}-{secrets.token_hex(4)}.tmp"


def _lock(descriptor: int) -> None:
    """Held as long as the file is written; the kernel frees it with the process, so a stale file is a free one."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _removed_if_stale(entry: Path) -> bool:
    """Remove what nobody of this machine holds, while holding it, so that no writer can take it up in between."""
    if sys.platform == "win32":
        return _removed(entry)
    match = _TEMPORARY.fullmatch(entry.name)
    if match is None or match[1] != _HOST:
        return False
    try:
        descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _removed(entry)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _removed(entry: Path) -> bool:
    try:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    except OSError:
        return False
    return True


def status_of(path: Path) -> os.stat_result | None:
    """What lies there, without following a link; None where nothing does."""
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def identity_of(path: PathLike) -> tuple[int, int] | None:
    """Which file or folder has that name, so that one that was replaced shows; None where nothing has."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def process_umask() -> int:
    """The process's umask; Linux tells it, elsewhere it is set and put back, for a moment too strict, never too lax."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
