"""Signals while a command runs: the work ends between two steps of Python, and what was half made is cleared away."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NAMES = ("SIGINT", "SIGTERM", "SIGUSR1")  # the last is Slurm's warning; Windows lacks it


class Stopped(BaseException):
    """A signal asked for the end. No `Exception`: nothing on the way may take it for a fault of one case.

    Attributes:
        exit_code: What the command ends with.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = exit_code_of_signal(number)


def exit_code_of_signal(number: int) -> int:
    """130 for SIGINT, 143 for every other.

    Examples:
        >>> exit_code_of_signal(signal.SIGINT), exit_code_of_signal(signal.SIGTERM)
        (130, 143)
    """
    return 130 if number == signal.SIGINT else 143


@contextmanager
def signals_stop_the_work() -> Iterator[None]:
    """The first signal raises `Stopped`, later ones change nothing; afterwards the old handlers are back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if not came:
            came.append(number)
            raise Stopped(number)

    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
