"""`log.txt`: what a run said, for those who come later; the host program's logging set-up is left alone."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from medp2p.errors import printable
from medp2p.io.machine import as_file_error

PACKAGE = logging.getLogger("medp2p")


class RunLog(logging.Handler):
    """Writes lines into the run folder: its own, and the warnings of the package.

    Args:
        file: Where lines go, without a buffer; a file that vanishes or is full stops no training.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(logging.WARNING)
        self._file = file
        self._began = time.monotonic()

    def __call__(self, message: str) -> None:
        """Tells a line to the log of the run, and to whoever listens to the package's logger."""
        self._write(message)
        PACKAGE.info("%s", message)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a warning of the package."""
        self._write(f"{record.levelname.lower()}: {record.getMessage()}")

    def _write(self, message: str) -> None:
        with suppress(OSError, ValueError):
            line = f"{time.monotonic() - self._began:9.1f} s  {printable(message)}\n"
            self._file.write(line.encode("utf-8", "backslashreplace"))


@contextmanager
def run_log(path: Path) -> Iterator[RunLog]:
    """The log of a run, which goes on where an older one ended.

    Raises:
        FileError: It cannot be written.
    """
    with as_file_error(path):
        file = path.open("ab", buffering=0)
    with file:
        log = RunLog(file)
        PACKAGE.addHandler(log)
        try:
            yield log
        finally:
            PACKAGE.removeHandler(log)
