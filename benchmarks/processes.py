"""Processes of their own: one that is measured as a whole, and one that leaves no memory behind (Linux, macOS)."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.turns import Options


def whole(words: list[str], options: Options) -> tuple[float, float, str]:
    """Seconds by the clock, and MB at most, of a whole Python process; and what it printed.

    Args:
        words: Of its command line, after the interpreter.
        options: How to measure.
    """
    command, began = [sys.executable, *words], time.perf_counter()
    with subprocess.Popen(command, env=options.environment(), stdout=subprocess.PIPE, text=True) as process:
        printed = process.stdout.read()  # type: ignore[union-attr]  # it is a pipe
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}")
    wall = time.perf_counter() - began
    return wall if options.clock == "wall" else usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, printed


def apart(work: Callable[..., object], *given: Any) -> None:
    """Does some work in a process of its own: those that this one starts inherit its largest memory.

    Args:
        work: A function of a module.
        given: Its arguments.
    """
    process = multiprocessing.get_context("spawn").Process(target=work, args=given)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{work} ended with {process.exitcode}")


def anonymous_mb() -> float:
    """Memory of this process that is no file's, in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), float("nan"))
