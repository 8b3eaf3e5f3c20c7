"""Being told to stop: a flag that the loop looks at between steps, so that the state it saves is whole."""

import signal
from collections.abc import Callable
from types import FrameType

from medp2p.translation.progress import Progress

Stop = Callable[[], int | None]
"""The number of the signal that came, or None."""


class Interrupted(Exception):  # noqa: N818 - it is no error: what was asked for was done
    """Training stopped because it was told to.

    Attributes:
        signal: The number of the signal.
        saved: Whether there was a state to save; it is saved then.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"told to stop by {signal.Signals(number).name}")
        self.signal = number
        self.saved = False


class SignalFlag:
    """Handlers that only remember that a signal came; a second one changes nothing.

    Only the command line installs them: a host program keeps its own.
    """

    def __init__(self) -> None:
        self._number: int | None = None

    def __call__(self) -> int | None:
        """The number of the first signal that came, or None."""
        return self._number

    def install(self) -> None:
        """Take SIGINT, SIGTERM and, where there is one, SIGUSR1."""
        for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._remember)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._number = self._number or number


def never() -> int | None:
    """Nobody tells the training to stop."""
    return None


def stopping(progress: Progress | None, stop: Stop) -> Progress:
    """A progress callback that ends the work where it was told to stop.

    Raises:
        Interrupted: By the callback, between two pieces of work.
    """

    def report(done: int, total: int, what: str) -> None:
        raise_if_stopped(stop)
        if progress:
            progress(done, total, what)

    return report


def raise_if_stopped(stop: Stop) -> None:
    """Raise where it was told to stop.

    Raises:
        Interrupted: It was.
    """
    number = stop()
    if number is not None:
        raise Interrupted(number)
