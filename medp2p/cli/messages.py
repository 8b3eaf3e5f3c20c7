"""What a command says: results on stdout, everything else on stderr, in any terminal and any locale."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from medp2p.errors import Fault, printable


def use_any_terminal() -> None:
    """Letters that the terminal's encoding lacks are written as escapes instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say_result(line: str) -> None:
    """One line of the result, on stdout at once; where nobody reads any more, the work goes on in silence."""
    try:
        print(printable(line), flush=True)
    except BrokenPipeError:
        silence_stdout()


def say_text(text: str) -> None:
    """A text as it is, on stdout."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def say_on_stderr(line: str) -> None:
    """One line on stderr; where nobody listens any more, it is lost."""
    with contextlib.suppress(OSError, ValueError):
        print(printable(line), file=sys.stderr, flush=True)


def say_faults(faults: Iterable[Fault]) -> None:
    """A line for every fault, on stderr."""
    for fault in faults:
        say_on_stderr(f"error: {fault}")


def silence_stdout() -> None:
    """Nothing more can be written: whoever read it may have gone, and Python would say so while it ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _ToStderr(logging.Handler):
    """Log records as lines on whatever stderr is at that moment: a progress bar takes its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        word = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        say_on_stderr(word + record.getMessage())


@contextmanager
def messages_on_stderr(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """While a command runs, what the library logs appears on stderr.

    Args:
        quiet: Errors only.
        verbose: Details too, and the warnings of other libraries.
    """
    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO
    ours, others, handler = logging.getLogger("medp2p"), logging.getLogger("py.warnings"), _ToStderr()
    before = ours.level, others.propagate
    logging.captureWarnings(True)
    ours.addHandler(handler)
    ours.setLevel(level)
    others.propagate = False
    others.addHandler(handler if verbose and not quiet else logging.NullHandler())
    try:
        yield
    finally:
        ours.removeHandler(handler)
        ours.setLevel(before[0])
        others.propagate = before[1]
        others.handlers.clear()
        logging.captureWarnings(False)
