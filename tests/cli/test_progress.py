"""How far long work is."""

import io

import pytest

from medp2p.cli.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_a_log_file_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(every_s=0.0) as progress:
        progress(3, 10, "epoch 1")
    assert capsys.readouterr().err.startswith("epoch 1: 3 of 10, after 0 s")


def test_short_work_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(every_s=60.0) as progress:
        progress(10, 10, "epoch 1")
    assert capsys.readouterr().err == ""


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True, every_s=0.0) as progress:
        progress(3, 10, "epoch 1")
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_is_cleared_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Progress() as progress:
        progress(3, 10, "epoch [1]")
    assert "epoch [1]" in terminal.getvalue()
    assert "3/10" in terminal.getvalue()
