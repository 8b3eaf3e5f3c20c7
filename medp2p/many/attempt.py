"""One case, wherever it is worked on: its refusal is a value, and what it logs is kept."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from medp2p.errors import Medp2pError

Case = TypeVar("Case")
Row = TypeVar("Row")
Said = tuple[str, int, str]
"""Logger, level and text of something that was logged."""

MACHINE_FAILED = 1
"""Exit code of errors that are the machine's: a full disk, too little memory, a dead worker."""

_begun: dict[str, Callable[..., object]] = {}
_beginning = threading.Lock()


def attempt(work: Callable[[Case], Row], case: Case) -> Row | Medp2pError:
    """The row of a case, or why it was refused.

    Examples:
        >>> attempt(abs, -2)
        2
    """
    try:
        return work(case)
    except Medp2pError as error:
        return error


def unless_machine_failed(outcome: Row | Medp2pError) -> Row | Medp2pError:
    """The outcome of a case, raised if it is a fault of the machine, which would fail the other cases too."""
    if isinstance(outcome, Medp2pError) and outcome.exit_code == MACHINE_FAILED:
        raise outcome
    return outcome


def in_worker(
    token: str, begin: Callable[[], Callable[[Case], Row]], case: Case, level: int
) -> tuple[Row | Medp2pError, list[Said]]:
    """One case in a worker, which begins once for all cases of one call.

    Args:
        token: The same for all cases of one call.
        begin: Loads what they share; gives the work on one case.
        case: The case.
        level: From which on what is logged is kept.

    Returns:
        The row or refusal, and what was logged meanwhile.
    """
    with _heard(level) as said:
        with _beginning:
            if token not in _begun:
                _begun.clear()
                _begun[token] = begin()
            work = _begun[token]
        return attempt(work, case), said  # type: ignore[arg-type]  # this token's work is that of these cases


def worker_number() -> int:
    """Which worker of this machine this process is, from 0 on; 0 where it is none.

    Examples:
        >>> worker_number()
        0
    """
    distributed = sys.modules.get("distributed")
    try:
        name = distributed.get_worker().name if distributed else 0
    except ValueError:  # this is no worker
        name = 0
    return name if isinstance(name, int) else 0


def say(said: list[Said]) -> None:
    """Log here what was logged in a worker."""
    for name, level, text in said:
        logging.getLogger(name).log(level, "%s", text)


@contextmanager
def _heard(level: int) -> Iterator[list[Said]]:
    """What this thread logs below `medp2p`, kept instead of shown: nobody reads what a worker prints."""
    said: list[Said] = []
    logger, thread = logging.getLogger("medp2p"), threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                said.append((record.name, record.levelno, record.getMessage()))

    listener, before = Listener(level), (logger.level, logger.propagate)
    logger.addHandler(listener)
    logger.setLevel(level)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(listener)
        logger.level, logger.propagate = before
