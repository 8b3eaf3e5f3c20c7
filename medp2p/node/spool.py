"""The spool of a node: a private folder whose every state is a whole one, so that a killed node goes on.

Must never let a name from the network become a path: files are called by keyed hashes. Its folders:
`receiving/` series that are coming in, `work/` those to translate and send, `failed/` those put aside, `seen/` which
images were taken up, `gone/` what is being deleted.
"""

import hmac
import os
import secrets
import shutil
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medp2p.errors import FileError, OutputExistsError
from medp2p.io.atomic import is_temporary, sweep_stale, write_bytes
from medp2p.io.machine import file_error
from medp2p.node.limits import Limits

if sys.platform != "win32":
    import fcntl

FOLDERS = ("receiving", "work", "failed", "seen", "gone")
_SECRET, _LOCK = "secret", "lock"
_SECRET_BYTES = 32


class Spool:
    """An opened spool; `opened` makes one.

    Attributes:
        folder: Where it is.
        limits: How much it takes.
        moving: Held while a series changes its state, and while an image is put into one.
    """

    def __init__(self, folder: Path, limits: Limits, secret: bytes) -> None:
        self.folder = folder
        self.limits = limits
        self.moving = threading.RLock()
        self._secret = secret
        self._bytes = 0
        self.measure()

    def path(self, kind: str, *names: str) -> Path:
        """A place in one of its folders."""
        return self.folder.joinpath(kind, *names)

    def name(self, *words: str) -> str:
        """What something is called here: a hash that means nothing to anybody without the spool's secret."""
        return hmac.new(self._secret, "\0".join(words).encode(), "sha256").hexdigest()[:32]

    def measure(self) -> None:
        """Count its bytes anew."""
        with self.moving:
            self._bytes = sum(_size(Path(top) / name) for top, _, names in os.walk(self.folder) for name in names)

    def add(self, count: int) -> None:
        """Count bytes that were put in."""
        with self.moving:
            self._bytes += count

    def has_room_for(self, count: int) -> bool:
        """Whether so many more bytes may be put in."""
        free = shutil.disk_usage(self.folder).free
        return self._bytes + count <= self.limits.spool_bytes and free - count >= self.limits.free_bytes

    def delete(self, folder: Path) -> None:
        """Remove a folder; first out of sight in one step, so that no half of it is ever taken for a whole."""
        away = self.path("gone", f"{folder.name}-{secrets.token_hex(4)}")
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)
        self.measure()


@contextmanager
def opened(folder: Path, limits: Limits) -> Iterator[Spool]:
    """The spool in a folder, which is made where it is not there, held by this process alone.

    Raises:
        OutputExistsError: The folder holds something else.
        FileError: It is no folder of this user's own, another node holds it, or the system refuses.
    """
    try:
        _make(folder)
        with _locked(folder):
            secret = _secret(folder)
            for kind in FOLDERS:
                (folder / kind).mkdir(mode=0o700, exist_ok=True)
            _clean(folder)
            yield Spool(folder, limits, secret)
    except OSError as error:
        if isinstance(error, FileError) or not _is_within(error, folder):
            raise
        raise file_error(folder, error, doing="written") from None


def _is_within(error: OSError, folder: Path) -> bool:
    return isinstance(error.filename, str) and Path(error.filename).is_relative_to(folder)


def _make(folder: Path) -> None:
    """A folder that its owner alone may enter; what others have in it stays theirs."""
    if not folder.parent.is_dir():
        raise FileError(folder, "cannot be made: the folder around it is not there", fix=f"make {folder.parent}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    ours = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if not stat.S_ISDIR(found.st_mode) or not ours:
        raise FileError(folder, "no folder of your own: scans of patients do not go there", fix="choose another spool")
    names = {entry.name for entry in os.scandir(folder) if not is_temporary(entry.name)}
    if names and _SECRET not in names and not names <= {_LOCK}:
        raise OutputExistsError(folder, "the folder holds something else than a spool", fix="choose another spool")
    folder.chmod(0o700)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Held by one node at a time; the kernel frees it with the process."""
    descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if sys.platform != "win32":
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FileError(
                    folder, "another node works with this spool", fix="stop it, or give this one a --spool of its own"
                ) from None
        yield
    finally:
        os.close(descriptor)


def _secret(folder: Path) -> bytes:
    path = folder / _SECRET
    if not path.exists():
        write_bytes(path, secrets.token_bytes(_SECRET_BYTES))
        path.chmod(0o600)
    content = path.read_bytes()
    if len(content) != _SECRET_BYTES:
        raise FileError(path, "the secret of the spool is damaged", fix="choose another spool, then look into this one")
    return content


def _clean(folder: Path) -> None:
    """Remove what a killed node was writing or deleting."""
    for place in (folder, folder / "seen", *(folder / "receiving").iterdir(), *(folder / "work").iterdir()):
        sweep_stale(place, exclusive=True)
    for entry in (folder / "gone").iterdir():
        shutil.rmtree(entry, ignore_errors=True)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
