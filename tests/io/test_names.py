"""What is in a folder of scans."""

from pathlib import Path

import pytest

from medp2p.errors import FileError
from medp2p.io import sub_folders


def test_folders_in_a_folder_are_told_by_name_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "scan.nii").touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    assert [path.relative_to(tmp_path).name for path in sub_folders(tmp_path)] == ["a", "b", "link"]


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan.nii").touch()
    for path in (tmp_path / "nowhere", tmp_path / "scan.nii"):
        with pytest.raises(FileError, match=f"{path.name}: cannot be read: "):
            sub_folders(path)
