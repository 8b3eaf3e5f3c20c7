"""The one writer of the package: a file, or a folder, is there whole under its name, or not at all.

It must never write through a symbolic link, over anything that is no regular file, or over what exists unless asked.
"""

import contextlib
import errno
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO

from medp2p.errors import FileError, Medp2pError, OutputExistsError
from medp2p.io.exchange import exchanged
from medp2p.io.machine import as_file_error, file_error
from medp2p.io.temporary import (
    is_temporary,
    new_temporary_file,
    new_temporary_folder,
    process_umask,
    remove_temporary,
    status_of,
    sweep_stale,
    temporary_name,
)

__all__ = [
    "atomic_file",
    "atomic_folder",
    "check_output",
    "check_output_folder",
    "is_temporary",
    "refuse_existing",
    "sweep_stale",
    "sync_folder",
    "write_bytes",
    "write_json",
    "write_text",
]

PathLike = str | os.PathLike[str]


@contextmanager
def atomic_file(
    path: PathLike, *, overwrite: bool = False, check: Callable[[Path], object] | None = None
) -> Iterator[BinaryIO]:
    """A binary file to write to, which gets its name once everything is on the disk.

    Written under a short temporary name in the same folder (mode 0600), flushed, fsynced, renamed, the folder
    fsynced. Whatever is raised inside, KeyboardInterrupt too, removes the temporary file and leaves the path as it was.

    Args:
        path: Where the file shall be; its folder must be there.
        overwrite: Replace a regular file that is there.
        check: Called with the temporary file before it gets its name; what it raises stops that.

    Raises:
        OutputExistsError: There is a file and `overwrite` is not given.
        FileError: The path is no regular file or a symbolic link, or the system refuses; exit code 1 for a full disk.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> with atomic_file(Path(folder.name) / "a.bin") as file:
        ...     _ = file.write(b"whole")
        >>> [entry.name for entry in Path(folder.name).iterdir()]
        ['a.bin']
        >>> folder.cleanup()
    """
    target = Path(path)
    refuse_existing(path, overwrite=overwrite)
    with as_file_error(path):
        raw, temporary = new_temporary_file(target.parent)
    try:
        try:
            file = BufferedWriter(raw, 1 << 20)
            yield file
            file.flush()
        except Exception as error:
            if raw.failure is None or isinstance(error, Medp2pError):
                raise
            raise file_error(path, raw.failure, doing="written") from None
        with as_file_error(path):
            _set_mode(raw.fileno(), 0o666)
            os.fsync(raw.fileno())
            if sys.platform == "win32":
                raw.close()  # an open file cannot be renamed there; elsewhere it stays open, and so locked, until then
            if check is not None:
                check(temporary)
            refuse_existing(path, overwrite=overwrite)
            temporary.replace(target)
            sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            raw.close()  # before its buffer, which would try to write once more
        remove_temporary(temporary)


def write_bytes(path: PathLike, content: bytes, *, overwrite: bool = True) -> None:
    """A small file at once; see `atomic_file`."""
    with atomic_file(path, overwrite=overwrite) as file:
        file.write(content)


def write_text(path: PathLike, text: str, *, overwrite: bool = True) -> None:
    """A text file in UTF-8 with line feeds; lone surrogates of undecodable names are written as escapes."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"), overwrite=overwrite)


def write_json(path: PathLike, value: object, *, overwrite: bool = True) -> None:
    """Strict JSON, indented, in UTF-8.

    Raises:
        ValueError: A number is not finite: say null and why instead.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", overwrite=overwrite)


@contextmanager
def atomic_folder(
    path: PathLike, *, overwrite: bool = False, replaces: Callable[[str], bool] = lambda name: True
) -> Iterator[Path]:
    """A folder to write into, which gets its name once everything in it is on the disk.

    Args:
        path: Where the folder shall be; an empty folder there is taken.
        overwrite: Replace a folder that is there, if everything in it is what this caller writes.
        replaces: Whether a file of that name is one that this caller writes.

    Raises:
        OutputExistsError: There is a folder that is not empty, or one that holds files of others.
        FileError: The path is something else, or the system refuses.
    """
    target = Path(path)
    _refuse_folder(target, overwrite=overwrite, replaces=replaces)
    with as_file_error(path):
        temporary, lock = new_temporary_folder(target.parent)
    try:
        yield temporary
        with as_file_error(path):
            for file in sorted(temporary.rglob("*")):
                _sync(file)
            temporary.chmod(0o777 & ~process_umask())
            sync_folder(temporary)
        _refuse_folder(target, overwrite=overwrite, replaces=replaces)
        with as_file_error(path):
            _move_folder(temporary, target)
            sync_folder(target.parent)
    finally:
        if lock is not None:
            os.close(lock)
        remove_temporary(temporary)


def refuse_existing(path: PathLike, *, overwrite: bool = False) -> None:
    """Raise if a file could not be written there without loss; a caller asks this before its work.

    Raises:
        OutputExistsError: There is a file and `overwrite` is not given.
        FileError: It is a folder, a symbolic link, a pipe or a device, or its folder is not there.
    """
    target = Path(path)
    with as_file_error(path):
        found = status_of(target)
        if found is None and not target.parent.is_dir():
            raise FileError(path, "cannot be written: its folder is not there", fix=f"make the folder {target.parent}")
    if found is None:
        return
    if not stat.S_ISREG(found.st_mode):
        raise FileError(
            path, "cannot be written: it exists and is no regular file", found=_kind(found.st_mode), fix="choose a name"
        )
    if not overwrite:
        raise OutputExistsError(path, "the file exists", fix="choose another name, or ask for it with --overwrite")


def check_output(path: PathLike, *, overwrite: bool = False) -> None:
    """Raise what `atomic_file` would, by making a temporary file in the folder and removing it: asked before long work.

    Raises:
        OutputExistsError: There is a file and `overwrite` is not given.
        FileError: It is no place for a file, or the folder takes none.
    """
    refuse_existing(path, overwrite=overwrite)
    with as_file_error(path):
        raw, temporary = new_temporary_file(Path(path).parent)
        raw.close()
        remove_temporary(temporary)


def check_output_folder(path: PathLike, *, overwrite: bool = False, replaces: Callable[[str], bool]) -> None:
    """Raise what `atomic_folder` would, by making a temporary folder beside it and removing it.

    Raises:
        OutputExistsError: There is a folder that is not empty, or one that holds files of others.
        FileError: It is no place for a folder.
    """
    _refuse_folder(Path(path), overwrite=overwrite, replaces=replaces)
    with as_file_error(path):
        temporary, lock = new_temporary_folder(Path(path).parent)
        if lock is not None:
            os.close(lock)
        remove_temporary(temporary)


def sync_folder(folder: PathLike) -> None:
    """Make a renaming in a folder last; file systems that cannot are taken as they are."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno in _MEANT:
                raise
        finally:
            os.close(descriptor)


_MEANT = {errno.EIO, errno.ENOSPC}
"""The folder is not on the disk. Anything else says that this file system syncs no folders."""


def _refuse_folder(target: Path, *, overwrite: bool, replaces: Callable[[str], bool]) -> None:
    with as_file_error(target):
        found = status_of(target)
        if found is None:
            if not target.parent.is_dir():
                raise FileError(
                    target, "cannot be written: the folder around it is not there", fix=f"make {target.parent}"
                )
            return
        if not stat.S_ISDIR(found.st_mode):
            raise FileError(
                target, "cannot be written: it is no folder", found=_kind(found.st_mode), fix="choose a name"
            )
        names = sorted(entry.name for entry in os.scandir(target))
    foreign = [name for name in names if not replaces(name)]
    if names and not overwrite:
        raise OutputExistsError(
            target, "the folder is not empty", fix="choose another name, or ask for it with --overwrite"
        )
    if foreign:
        raise OutputExistsError(
            target, "the folder holds files of others", found=f"{len(foreign)} of them", fix="choose another name"
        )


def _move_folder(temporary: Path, target: Path) -> None:
    """Rename over nothing or an empty folder; with a full one it changes places, and what was there goes."""
    if not target.exists() or (sys.platform != "win32" and not any(target.iterdir())):
        temporary.replace(target)
        return
    if exchanged(temporary, target):
        return
    aside = temporary_name(target.parent)
    target.replace(aside)
    try:
        temporary.replace(target)
    except OSError:
        aside.replace(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "a device or socket")


def _sync(path: Path) -> None:
    if path.is_dir():
        sync_folder(path)
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _set_mode(descriptor: int, mode: int) -> None:
    if hasattr(os, "fchmod"):
        with contextlib.suppress(PermissionError):  # network shares that decide on modes themselves
            os.fchmod(descriptor, mode & ~process_umask())
