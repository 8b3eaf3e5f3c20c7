"""How a command ends: exit code, and one line for each fault."""

import argparse
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medp2p.cli import command
from medp2p.errors import ConfigError, OutputExistsError, TrainingError
from tests.conftest import Answer

Command = Callable[..., Answer]


@pytest.fixture
def ending(medp2p: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """`ending(error)` runs a command in which that is raised."""

    def run(error: BaseException, *words: str) -> Answer:
        def raise_it(options: argparse.Namespace) -> int:
            raise error

        build = command.build_parser

        def build_one() -> object:
            parser = build()
            for action in parser._subparsers._group_actions:  # type: ignore[union-attr]
                action.choices["check"].set_defaults(run=raise_it)  # type: ignore[index,call-overload]
            return parser

        monkeypatch.setattr(command, "build_parser", build_one)
        return medp2p("check", "x", *words)

    return run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("a.yaml", "wrong", fix="right it", key="b", line=3), 2, "error: a.yaml:3: b: wrong. Fix"),
        (OutputExistsError("out", "exists", fix="add --overwrite"), 2, "error: out: exists. Fix: add --overwrite"),
        (TrainingError("run", "diverged", fix="lower the rate"), 1, "error: run: diverged. Fix: lower the rate"),
        (MemoryError(), 1, "error: memory: there is not enough memory. Fix: "),
        (RuntimeError("CUDA out of memory. Tried"), 1, "error: memory: there is not enough memory: CUDA out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "out/x"), 1, "error: out/x: No space left on device. Fix"),
        (OSError(errno.EMFILE, "Too many open files"), 1, "error: disk: Too many open files. Fix: raise the limit"),
        (KeyError("x"), 1, "error: medp2p: KeyError: 'x'. Fix: "),
        (ValueError("two\nlines"), 1, "error: medp2p: ValueError: two. Fix: "),
    ],
)  # fmt: skip
def test_an_error_is_one_line(ending: Callable[..., Answer], error: Exception, code: int, line: str) -> None:
    answer = ending(error)
    assert (answer.code, answer.out) == (code, "")
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith(line)


def test_debug_shows_where_it_came_from(ending: Callable[..., Answer]) -> None:
    answer = ending(ConfigError("a.yaml", "wrong", fix="right it"), "--debug")
    assert answer.err.startswith("Traceback (most recent call last)")
    assert answer.err.splitlines()[-1] == "error: a.yaml: wrong. Fix: right it"
    assert answer.code == 2


def test_control_characters_do_not_reach_the_terminal(ending: Callable[..., Answer]) -> None:
    assert "\\x1b[31m" in ending(ConfigError("a\x1b[31m.yaml", "wrong", fix="right it")).err


def test_results_may_be_cut_off(ending: Callable[..., Answer]) -> None:
    answer = ending(BrokenPipeError())
    assert (answer.code, answer.err) == (0, "")


SLOW = """
import sys, time
from medp2p.cli import command
from medp2p.cli.verbs import build_parser
def sleep(options):
    try:
        print("begun", flush=True)
        time.sleep(30)
    finally:
        print("cleared", flush=True)
def build():
    parser = build_parser()
    parser._subparsers._group_actions[0].choices["check"].set_defaults(run=sleep)
    return parser
command.build_parser = build
sys.exit(command.main(["check", "x"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)])
def test_a_signal_ends_the_work_after_it_was_cleared_away(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "cleared\n")
    assert err.splitlines() == [f"stopped by {number.name}; the same command goes on with what is missing"]


def test_afterwards_the_host_has_its_own_handlers_and_log_levels(medp2p: Command) -> None:
    before = signal.getsignal(signal.SIGTERM)
    medp2p("config", "schema")
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_under_stdout_is_one_line() -> None:
    words = [Path(sys.executable).with_name("medp2p"), "config", "schema"]
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("error: disk: No space left on device")
    assert len(result.stderr.splitlines()) == 1


SAYING = """
import sys
from medp2p.cli.messages import say_result
for number in range(100_000):
    say_result("a line")
print("done", file=sys.stderr)
"""


def test_work_goes_on_when_nobody_reads_its_results_any_more() -> None:
    words = ["bash", "-c", '"$1" -c "$2" | head -n 1', "bash", sys.executable, SAYING]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("a line\n", "done\n")


def test_a_reader_that_goes_away_is_no_fault() -> None:
    command_line = f"{Path(sys.executable).with_name('medp2p')} config schema 2>&1 | head -n 1"
    result = subprocess.run(["bash", "-c", command_line], capture_output=True, text=True, check=False)
    assert result.stdout == "{\n"
