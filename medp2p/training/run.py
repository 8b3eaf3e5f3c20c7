"""A run folder: its files by name, who may write into it, and what it is to those who come later."""

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import FileIO
from os import PathLike
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from medp2p.errors import FileError, OutputExistsError
from medp2p.io.atomic import is_temporary, sweep_stale
from medp2p.io.machine import as_file_error
from medp2p.io.temporary import status_of
from medp2p.translation.model_file import CARD_FILE, MODEL_FILE, STATE_FILE

if TYPE_CHECKING:
    from medp2p.evaluation import Scores

LOCK, LOG = ".lock", "log.txt"
FILES = (
    "config.yaml",
    "provenance.json",
    "data.yaml",
    "history.csv",
    "history.png",
    CARD_FILE,
    "profile.txt",
    MODEL_FILE,
    STATE_FILE,
)
"""In the order in which a run needs them: the first says that the folder is a run's, the last that it can go on."""
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


def run_folder(config: str | PathLike[str], run: str | PathLike[str] | None) -> Path:
    """The folder that was asked for, else that of the configuration's name.

    Examples:
        >>> print(run_folder("configs/mr2ct.yaml", None).as_posix())
        runs/mr2ct
    """
    return Path("runs", Path(config).stem) if run is None else Path(run)


def refuse_run_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise where a training must not go into this folder.

    Raises:
        OutputExistsError: It holds a run, and neither `resume` nor `overwrite` was asked for.
        FileError: It holds something that is no run, or is a file; or a model that cannot be gone on with.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileError(folder, "a run folder cannot be made: a file has its name", fix="choose another --run")
    names = [entry.name for entry in folder.iterdir() if not _counts_as_nothing(entry.name)]
    strangers = [name for name in names if name not in (*FILES, *FOLDERS)] + _of_another_kind(folder)
    if strangers or (names and not set(names) & {"config.yaml", STATE_FILE, MODEL_FILE, "provenance.json"}):
        found = ", ".join(sorted(strangers or names)[:5])
        raise FileError(folder, "the folder holds something that is no run", found=found, fix="choose another --run")
    if names and not (resume or overwrite):
        raise OutputExistsError(
            folder, "the folder holds a run", fix="go on with --resume, train anew with --overwrite, or choose --run"
        )
    if resume and not overwrite:
        _refuse_to_begin_over(folder)


def _refuse_to_begin_over(folder: Path) -> None:
    """Raise where a training that cannot go on would begin anew and replace a model: what it needs was taken away.

    A lock that is left says that it was killed: then it was beginning, or being replaced, and may begin again.
    """
    config, state, model, card = ((folder / name).is_file() for name in (FILES[0], STATE_FILE, MODEL_FILE, CARD_FILE))
    finished = model and card
    if (folder / LOCK).exists() or (config and (state or not finished)) or not (state or model):
        return
    raise FileError(
        folder / (STATE_FILE if config else FILES[0]),
        "it is gone, and without it the run cannot go on" if state or (folder / "history.csv").is_file()
        else "there is none, so there is no training to go on with",
        fix="bring it back, or choose another --run (training.start_from takes the weights along); "
        "--overwrite trains anew, and the model goes",
    )  # fmt: skip


def _of_another_kind(folder: Path) -> list[str]:
    """Names of a run's that something else has, above all links, through which files elsewhere would be written."""
    files = [path for name in (*FILES, LOCK, LOG) if not stat.S_ISREG(_mode(path := folder / name, stat.S_IFREG))]
    folders = [path for name in FOLDERS if not stat.S_ISDIR(_mode(path := folder / name, stat.S_IFDIR))]
    return [path.name for path in (*files, *folders)]


def _mode(path: Path, absent: int) -> int:
    """What lies there, without following a link, or what would be right where nothing does."""
    found = status_of(path)
    return absent if found is None else found.st_mode


def _counts_as_nothing(name: str) -> bool:
    """What a killed start leaves."""
    return name in (LOCK, LOG) or is_temporary(name)


def empty_run_folder(folder: Path) -> None:
    """Removes an old run, and nothing else that may be in the folder.

    The state goes first, so that nobody goes on with half a run; what marks the folder as a run's goes last, so that
    whoever is killed on the way leaves a folder that can be trained in.
    """
    mark, *others = FILES
    with as_file_error(folder, doing="emptied"):
        for name in (*reversed(others), LOG):
            (folder / name).unlink(missing_ok=True)
        for name in FOLDERS:
            if (folder / name).is_dir() and not (folder / name).is_symlink():
                rmtree(folder / name)
        (folder / mark).unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[Callable[[], None]]:
    """The folder for this process alone; the kernel frees it however the process ends.

    Yields:
        To be called before something is kept: raises a FileError (exit code 1) where the folder was removed
        meanwhile, or is another one by now.

    Raises:
        FileError: Another process trains here, or the folder cannot be made.
    """
    made = not folder.exists()
    with as_file_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a+b", buffering=0)
    with lock:
        if not _take(lock.fileno(), folder / LOCK):
            raise _busy(folder, lock)
        try:
            with as_file_error(folder):
                lock.truncate(0)
                lock.write(f"{socket.gethostname()}, process {os.getpid()}".encode())
            for place in (folder, *(folder / name for name in FOLDERS)):
                sweep_stale(place, exclusive=True)
            yield partial(_refuse_lost, folder, lock.fileno())
        except BaseException:
            if made and _is_open_at(lock.fileno(), folder / LOCK):
                _leave_nothing(folder)
            raise
        finally:
            if _is_open_at(lock.fileno(), folder / LOCK):
                with suppress(OSError):
                    (folder / LOCK).unlink(missing_ok=True)


def refuse_busy(folder: Path) -> None:
    """Raise where another process trains in a folder; asked before anything heavy is loaded, and decided by `locked`.

    Raises:
        FileError: One does.
    """
    with (
        suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError),
        (folder / LOCK).open("r+b", buffering=0) as lock,
    ):
        if not _take(lock.fileno(), folder / LOCK):
            raise _busy(folder, lock)


def _busy(folder: Path, lock: FileIO) -> FileError:
    lock.seek(0)
    holder = lock.read(200).decode("utf-8", "replace").strip()
    return FileError(folder, "another training runs in this folder", found=holder or None,
                     fix="wait for it, or choose another --run")  # fmt: skip


def _refuse_lost(folder: Path, lock: int) -> None:
    if _is_open_at(lock, folder / LOCK):
        return
    error = FileError(
        folder,
        "the run folder, or its lock, was removed or replaced while it was trained in: nothing more is saved",
        fix="leave a folder alone while it is trained in; --resume goes on with what is still there",
    )
    error.exit_code = 1
    raise error


def _is_open_at(descriptor: int, path: Path) -> bool:
    """Whether the path is still that of an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _leave_nothing(folder: Path) -> None:
    """A start that was refused leaves no folder behind."""
    if all(_counts_as_nothing(entry.name) for entry in folder.iterdir()):
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
    except BlockingIOError:
        return False
    except OSError:  # a network share without locks: there is no telling
        pass
    return _is_open_at(descriptor, path)
