"""How far long work is: a bar on a terminal, a plain line now and then in a log file."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from medp2p.cli.messages import say_on_stderr

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LINE_EVERY_S = 30.0  # in a log file


class Progress:
    """The `progress` callback of the library; as a context, it clears its bar away.

    Args:
        quiet: Show nothing.
        every_s: Seconds between lines where stderr is no terminal.
    """

    def __init__(self, *, quiet: bool = False, every_s: float = LINE_EVERY_S) -> None:
        self._quiet, self._every_s = quiet, every_s
        self._said_at = self._began_at = time.monotonic()
        self._what: str | None = None
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` parts of some work are done."""
        if self._quiet:
            return
        if sys.stderr.isatty() or self._bar is not None:
            self._draw(done, total, what)
        else:
            self._say(done, total, what)

    def _draw(self, done: int, total: int, what: str) -> None:
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(what, total=total)
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total, description=what)

    def _say(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if now - self._said_at >= self._every_s:
            self._said_at = now
            say_on_stderr(f"{what}: {done} of {total}, after {minutes(now - self._began_at)}")


def minutes(seconds: float) -> str:
    """A duration as people say it.

    Examples:
        >>> minutes(8), minutes(95), minutes(7300)
        ('8 s', '1 min 35 s', '2 h 01 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    return Bar(*columns, console=Console(stderr=True), transient=True)
