"""Series that are coming in: an image at a time, whole on the disk before its sender is thanked.

A series is complete once an association that sent of it was released, none of its images was refused there, and none
has come for a while. A missing slice at an end cannot be seen in the pictures, so half a series is never taken up.
"""

import json
import logging
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medp2p.errors import Medp2pError
from medp2p.io.atomic import atomic_file, sync_folder, write_json, write_text
from medp2p.io.machine import file_error
from medp2p.node.spool import Spool

logger = logging.getLogger(__name__)

_RELEASED = ".released"  # passed over when the series is read
_MOST_SEEN = 10_000
_LATE = "images of a series that was translated before them, or a part of it once more; send the whole series again"
_BROKEN_OFF = "its sending broke off, or an image of it was refused; send the whole series again"


class Full(Exception):  # noqa: N818 - a state, not a fault
    """There is no room for an image."""


@dataclass
class _Open:
    """A series of which somebody is sending: its images so far, by how many associations, whether one broke off."""

    names: set[str]
    senders: int = 0
    broken: bool = False


class Arrivals:
    """What comes in, and when it is complete.

    Args:
        spool: Where it is kept.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._open: dict[str, _Open] = {}

    def begin(self, series: str) -> None:
        """An association sends of a series; until it ends the series is not complete, whatever it was before."""
        with self._spool.moving:
            folder = self._spool.path("receiving", series)
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / _RELEASED).unlink(missing_ok=True)
            found = self._open.setdefault(series, _Open({path.stem for path in images(folder)}))
            found.senders += 1

    def put(self, series: str, image: str, content: bytes) -> None:
        """Keep one image of a series that was begun.

        Args:
            series: Its name in the spool.
            image: The image's name in the spool; one of that name is replaced.
            content: The whole file.

        Raises:
            Full: The series has as many images as are allowed, or the spool or the disk is full.
            FileError: It cannot be written.
        """
        target = self._spool.path("receiving", series, f"{image}.dcm")
        names = self._open[series].names
        if image not in names and len(names) >= self._spool.limits.series_images:
            raise Full("images in one series")
        if not self._spool.has_room_for(len(content)):
            raise Full("room in the spool")
        try:
            with atomic_file(target, overwrite=True) as file:
                file.write(content)
            target.chmod(0o600)
        except OSError as error:
            raise error if isinstance(error, Medp2pError) else file_error(target, error, doing="written") from None
        names.add(image)
        self._spool.add(len(content))

    def end(self, series: Iterable[str], *, complete: bool) -> None:
        """The association that sent of some series is over.

        Args:
            series: Their names in the spool.
            complete: Whether it was released, and every image was kept.
        """
        with self._spool.moving:
            for name in series:
                found = self._open[name]
                found.senders -= 1
                found.broken |= not complete
                if found.senders:
                    continue  # another association sends of it at the same time
                del self._open[name]
                if not found.broken:
                    write_text(self._spool.path("receiving", name, _RELEASED), "")

    def take_up(self) -> None:
        """Move every complete series to the work, and put aside what has waited too long for its rest."""
        limits, now = self._spool.limits, time.time()
        with self._spool.moving:
            for folder in sorted(self._spool.path("receiving").iterdir()):
                if folder.name in self._open:
                    continue
                waited = now - _last_change(folder)
                if (folder / _RELEASED).exists():
                    if not 0 <= waited < limits.settle_s:
                        self._to_work(folder)
                elif not any(images(folder)):
                    self._spool.delete(folder)
                elif not 0 <= waited < limits.unfinished_s:
                    logger.warning("series %s is put aside: %s", folder.name[:8], _BROKEN_OFF)
                    self._put_aside(folder, _BROKEN_OFF)

    def _to_work(self, folder: Path) -> None:
        """What was taken up is written down first: taken up twice after a kill, it is the same."""
        names = {path.stem for path in images(folder)}
        seen = self._spool.path("seen", f"{folder.name}.json")
        before = set(json.loads(seen.read_text("utf-8"))) if seen.exists() else set()
        if before - names:
            logger.warning("series %s is put aside: %s", folder.name[:8], _LATE)
            self._put_aside(folder, _LATE)
            return
        write_json(seen, sorted(names))
        self._forget_oldest()
        job = self._spool.path("work", _once(folder.name))
        job.mkdir(mode=0o700)
        folder.rename(job / "source")
        sync_folder(job)
        sync_folder(job.parent)
        logger.info("series %s: %d images received", folder.name[:8], len(names))

    def _put_aside(self, folder: Path, reason: str) -> None:
        write_text(folder / "reason.txt", reason + "\n")
        job = self._spool.path("failed", _once(folder.name))
        job.mkdir(mode=0o700)
        (folder / "reason.txt").rename(job / "reason.txt")
        folder.rename(job / "source")
        sync_folder(job)

    def _forget_oldest(self) -> None:
        seen = sorted(self._spool.path("seen").iterdir(), key=lambda path: path.lstat().st_mtime)
        for path in seen[:-_MOST_SEEN]:
            path.unlink(missing_ok=True)


def images(folder: Path) -> Iterator[Path]:
    """The image files of a series in the spool."""
    return (path for path in folder.iterdir() if path.suffix == ".dcm")


def _last_change(folder: Path) -> float:
    return max((path.lstat().st_mtime for path in (folder, *folder.iterdir())), default=0.0)


def _once(name: str) -> str:
    """A series may come again while its last one is worked at."""
    return f"{name}-{time.time_ns():x}-{secrets.token_hex(2)}"
