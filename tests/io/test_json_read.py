"""JSON of our own is read, or is none; nothing that stands in its place raises."""

import os
from pathlib import Path

import pytest

from medp2p.io.json_read import read_object


def test_an_object_comes_back(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"note": "ä", "numbers": [1, 2.5]}', "utf-8")
    assert read_object(tmp_path / "a.json") == {"note": "ä", "numbers": [1, 2.5]}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"5", b"\xff{}", b'{"a": ' * 100_000])
def test_what_is_no_object_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    assert read_object(tmp_path / "a.json") is None


def test_a_file_larger_than_ours_can_be_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 12}', "utf-8")
    assert read_object(tmp_path / "a.json", most_bytes=9) == {"a": 12}
    assert read_object(tmp_path / "a.json", most_bytes=8) is None


def test_a_folder_a_link_that_leads_nowhere_and_a_pipe_are_none(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    assert [read_object(tmp_path / name) for name in (".", "link", "pipe")] == [None] * 3
