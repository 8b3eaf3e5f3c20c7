"""A single slice of a series given in place of its folder."""

import logging
from pathlib import Path

import pytest

from medp2p.errors import FileError
from medp2p.io import dicom_beside, read_volume
from tests.io.dicom_phantom import write

WARNING = "is one slice of a series whose other slices lie beside it"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_slice_is_read_and_the_folder_to_give_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    series = write(tmp_path / "series")
    assert read_volume(series / "IM0003").shape[2] == 1
    (said,) = warnings(caplog)
    assert said.startswith(f"{series / 'IM0003'} {WARNING}")
    assert said.endswith(f"give its folder: {series}")


def test_the_folder_itself_is_read_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_volume(write(tmp_path / "series"))
    assert warnings(caplog) == []


def test_a_slice_alone_or_among_others_is_a_scan(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = write(tmp_path / "one", keep=lambda index: index == 1)
    for number in range(3):
        other = next(write(tmp_path / f"other{number}", keep=lambda index: index == 2).iterdir())
        other.rename(one / f"IM9{number}")
    (one / "notes.txt").write_text("nothing")
    (one / "damaged").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    with pytest.raises(FileError):
        read_volume(one / "damaged")
    assert read_volume(one / "IM0002").shape[2] == 1
    assert warnings(caplog) == []


def test_the_nearest_names_are_looked_at_first_and_no_more_than_some(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = write(tmp_path / "series", keep=lambda index: index < 2)
    first, second = sorted(series.iterdir())
    second.rename(series / "Z")
    for number in range(200):
        (series / f"M{number:03d}").write_bytes(b"")
    looked: list[str] = []
    real = dicom_beside.read_header
    monkeypatch.setattr(dicom_beside, "read_header", lambda path: (looked.append(path.name), real(path))[1])
    read_volume(first)
    assert (looked, warnings(caplog)) == ([f"M{number:03d}" for number in range(64)], [])
    looked.clear()
    read_volume(series / "Z")
    assert looked == [f"M{number:03d}" for number in range(199, 135, -1)]
