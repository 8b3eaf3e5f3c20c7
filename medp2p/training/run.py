"""A run folder: its files by name, who may write into it, and what it is to those who come later."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from medp2p.errors import FileError, OutputExistsError
from medp2p.io.atomic import is_temporary, sweep_stale
from medp2p.io.machine import file_error
from medp2p.translation.model_file import MODEL_FILE

if TYPE_CHECKING:
    from medp2p.evaluation import Scores

LOCK, LOG = ".lock", "log.txt"
FILES = (
    "config.yaml",
    "data.yaml",
    MODEL_FILE,
    "last.pt",
    "history.csv",
    "history.png",
    "provenance.json",
    "model_card.md",
    "profile.txt",
)
FOLDERS = ("validation", "samples", "tracking")


@dataclass(frozen=True)
class Run(PathLike[str]):
    """A trained run: pass it where a path of a run folder is taken.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    def __fspath__(self) -> str:
        return os.fspath(self.folder)

    @property
    def scores(self) -> "Scores | None":
        """The scores of the held-out validation cases at the best epoch; None without validation cases."""
        from medp2p.evaluation import read_scores

        folder = self.folder / "validation"
        return read_scores(folder) if (folder / "scores.json").is_file() else None


def refuse_run_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise where a training must not go into this folder.

    Raises:
        OutputExistsError: It holds a run, and neither `resume` nor `overwrite` was asked for.
        FileError: It holds something that is no run, or is a file.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileError(folder, "a run folder cannot be made: a file has its name", fix="choose another --run")
    names = [entry.name for entry in folder.iterdir() if not _counts_as_nothing(entry.name)]
    strangers = [name for name in names if name not in (*FILES, *FOLDERS)]
    if strangers or (names and not set(names) & {"config.yaml", "last.pt", MODEL_FILE, "provenance.json"}):
        found = ", ".join(sorted(strangers or names)[:5])
        raise FileError(folder, "the folder holds something that is no run", found=found, fix="choose another --run")
    if names and not (resume or overwrite):
        raise OutputExistsError(
            folder, "the folder holds a run", fix="go on with --resume, train anew with --overwrite, or choose --run"
        )


def _counts_as_nothing(name: str) -> bool:
    """What a killed start leaves."""
    return name in (LOCK, LOG) or is_temporary(name)


def empty_run_folder(folder: Path) -> None:
    """Removes an old run, and nothing else that may be in the folder."""
    for name in (*FILES, LOG):
        (folder / name).unlink(missing_ok=True)
    for name in FOLDERS:
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            rmtree(folder / name)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder for this process alone; the kernel frees it however the process ends.

    Raises:
        FileError: Another process trains here, or the folder cannot be made.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise file_error(folder, error, doing="written") from None
    with lock:
        if not _take(lock.fileno(), folder / LOCK):
            lock.seek(0)
            raise FileError(folder, "another training runs in this folder", found=lock.read(200).strip() or None,
                            fix="wait for it, or choose another --run")  # fmt: skip
        lock.truncate(0)
        lock.write(f"{socket.gethostname()}, process {os.getpid()}")
        lock.flush()
        sweep_stale(folder, exclusive=True)
        try:
            yield
        except BaseException:
            _leave_nothing(folder, made=made)
            raise
        finally:
            with suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)


def _leave_nothing(folder: Path, *, made: bool) -> None:
    """A start that was refused leaves no folder behind."""
    if made and folder.is_dir() and all(_counts_as_nothing(entry.name) for entry in folder.iterdir()):
        rmtree(folder, ignore_errors=True)


def _take(descriptor: int, path: Path) -> bool:
    """Lock an open file, unless another process has it, or has removed it meanwhile."""
    if sys.platform == "win32":
        import msvcrt

        with suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return True
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except OSError:
        return False
