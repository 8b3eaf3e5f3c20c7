"""Faults put into a process from outside its code: what Python's audit hooks see of a folder being changed."""

import errno
import os
import shutil
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SECOND_IS_NEW = ("os.rename", "os.link", "os.symlink")
_CHANGES = ("open", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", *_SECOND_IS_NEW)
_listeners: list[Callable[[str, Path], None]] = []


def _changed(event: str, words: tuple[object, ...]) -> Path | None:
    """The path that an event changes, if it changes any."""
    path = words[1] if event in _SECOND_IS_NEW else words[0]
    if event == "open":
        mode, flags = words[1], words[2]
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else int(flags or 0) & _WRITING  # type: ignore[call-overload]
        if not writes:
            return None
    return Path(os.fsdecode(path)) if isinstance(path, str | bytes | os.PathLike) else None


def _hook(event: str, words: tuple[object, ...]) -> None:
    if _listeners and event in _CHANGES:
        path = _changed(event, words)
        if path is not None:
            _listeners[-1](event, path)


sys.addaudithook(_hook)


@contextmanager
def before_each_change(folder: Path, call: Callable[[int, str], None]) -> Iterator[None]:
    """Calls with the number and kind of every change below a folder, just before it; what is raised happens there."""
    count = 0

    def listen(event: str, path: Path) -> None:
        nonlocal count
        if folder in path.absolute().parents:
            count += 1
            _listeners.append(lambda *_: None)  # the call's own changes are none
            try:
                call(count, f"{event} {path.name}")
            finally:
                _listeners.pop()

    _listeners.append(listen)
    try:
        yield
    finally:
        _listeners.remove(listen)


@contextmanager
def moments(folder: Path, copies: Path) -> Iterator[list[str]]:
    """Copies a folder just before each of its changes: what a kill there would leave, as `copies/1`, `copies/2`, …"""
    seen: list[str] = []

    def copy(number: int, what: str) -> None:
        seen.append(what)
        shutil.copytree(folder, copies / str(number), symlinks=True)

    with before_each_change(folder, copy):
        yield seen


@contextmanager
def failing(folder: Path, at: Container[int], number: int = errno.ENOSPC) -> Iterator[None]:
    """At the changes of these numbers nothing new can be made below a folder; removing always works."""

    def fail(count: int, what: str) -> None:
        if count in at and not what.startswith(("os.remove", "os.rmdir")):
            raise OSError(number, os.strerror(number))

    with before_each_change(folder, fail):
        yield


def temporary_files(folder: Path) -> list[str]:
    """Names of what was left half written."""
    return [path.name for path in folder.rglob("*") if path.name.endswith(".tmp")]
