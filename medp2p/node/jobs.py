"""The series to translate and to send: each a folder of the spool that goes when its result has arrived.

Must never write a reason that names anything of a patient.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medp2p.errors import Fault
from medp2p.io.atomic import write_text
from medp2p.node.spool import Spool

logger = logging.getLogger(__name__)

_MOST_MACHINE_FAULTS = 5


@dataclass(frozen=True)
class Job:
    """A received series and what is made of it.

    Attributes:
        folder: Its place in the spool.
    """

    folder: Path

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.folder.name[:8]

    @property
    def source(self) -> Path:
        """The received series."""
        return self.folder / "source"

    def derived(self, target: str) -> Path:
        """The series that is made for one target of the model."""
        return self.folder / f"derived-{target}"


class Jobs:
    """The queue: the oldest first, those that had to wait when their time has come.

    Args:
        spool: Where they are.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._waits: dict[str, _Wait] = {}

    def next(self) -> Job | None:
        """The one to work at now, if there is any."""
        now = time.monotonic()
        waiting = {name for name, wait in self._waits.items() if wait.until > now}
        return next((job for job in self._all() if job.folder.name not in waiting), None)

    def finish(self, job: Job) -> None:
        """Its result has arrived: nothing of it is kept."""
        self._waits.pop(job.folder.name, None)
        self._spool.delete(job.folder)

    def postpone(self, job: Job, reason: str) -> None:
        """Nobody's fault but the network's: try again, less and less often."""
        first, longest = self._spool.limits.retry_s
        wait = self._waits.setdefault(job.folder.name, _Wait())
        seconds = min(first * 2**wait.times, longest)
        wait.times, wait.until = min(wait.times + 1, 30), time.monotonic() + seconds
        logger.warning("series %s waits %.0f s: %s", job.name, seconds, reason)

    def postpone_for_machine(self, job: Job, reason: str) -> None:
        """The machine failed (disk, memory): try again, but not for ever."""
        wait = self._waits.setdefault(job.folder.name, _Wait())
        wait.machine_faults += 1
        if wait.machine_faults >= _MOST_MACHINE_FAULTS:
            self.fail(job, reason)
        else:
            self.postpone(job, reason)

    def fail(self, job: Job, reason: str) -> None:
        """Put it aside, with one line that says why."""
        self._waits.pop(job.folder.name, None)
        write_text(job.folder / "reason.txt", reason + "\n")
        job.folder.rename(self._spool.path("failed", job.folder.name))
        logger.error("series %s is put aside: %s", job.name, reason)

    def _all(self) -> Iterator[Job]:
        folders = sorted(self._spool.path("work").iterdir(), key=lambda path: path.name.split("-")[1:])
        for folder in folders:
            if (folder / "source").is_dir():
                yield Job(folder)
            else:
                self._spool.delete(folder)  # a kill came before its images were moved here


@dataclass
class _Wait:
    times: int = 0
    machine_faults: int = 0
    until: float = 0.0


def reason_of(fault: Fault) -> str:
    """What was wrong, without where: one line.

    Examples:
        >>> reason_of(Fault("a/b", "PixelSpacing", None, "a pixel size of 0. Fix: export it again"))
        'PixelSpacing: a pixel size of 0. Fix: export it again'
    """
    return str(Fault(None, fault.key, None, fault.message))
