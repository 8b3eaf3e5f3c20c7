"""Work on a case that a worker can be sent: each start is noted, each result is a whole file."""

import logging
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from medp2p.errors import FileError
from medp2p.io.atomic import sweep_stale, write_text

CONTENT = "whole " * 1000


def begin(folder: Path, seconds: float = 0.0) -> Callable[[str], int]:
    (folder / f"begun-{os.getpid()}-{time.monotonic_ns()}").touch()
    return partial(_work, folder, seconds)


def _work(folder: Path, seconds: float, case: str) -> int:
    output = folder / f"{case}.txt"
    if output.exists():
        return 0
    with (folder / f"{case}.starts").open("a") as file:
        file.write(f"{os.getpid()}\n")
    sweep_stale(folder)
    time.sleep(seconds)
    if case.startswith("deadly"):
        os.kill(os.getpid(), signal.SIGKILL)
    if case.startswith("bad"):
        raise FileError(f"{case}.nii.gz", "it is damaged", fix="copy it again")
    if case.startswith("full"):
        full = FileError(output, "no space left on the device", fix="make space")
        full.exit_code = 1
        raise full
    if case.startswith("odd"):
        logging.getLogger("medp2p.tests").warning("%s is constant", case)
    write_text(output, CONTENT, overwrite=False)
    return len(case)


def starts(folder: Path, case: str) -> list[str]:
    return (folder / f"{case}.starts").read_text().split()
