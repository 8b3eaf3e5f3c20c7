"""A node takes a series, translates it and hands the derived series on; nothing is lost, whoever breaks off when."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")

from medp2p.errors import ConfigError, FileError, ModelError, OutputExistsError
from medp2p.io import read_volume
from medp2p.node import serve
from medp2p.translation import translate
from tests.io import dicom_phantom as phantom
from tests.node.network import QUICK, archive, associated, node, send, wait_for
from tests.translation.conftest import CT, MR, description, save

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""pynetdicom leaves sockets to the garbage collector where the other end was faster, or is not there."""


def test_what_arrives_is_what_translate_makes_in_the_frame_of_the_scan(model, series, tmp_path) -> None:
    with archive() as taker, node(model, tmp_path / "spool", taker.port) as at_work:
        assert send(at_work.port, series) == [0] * 6
        wait_for(lambda: at_work.sent)
        assert at_work.files("work") == at_work.files("receiving") == at_work.files("failed") == []
    translate(model, series, tmp_path / "alone.nii.gz", device="cpu")
    alone, arrived = read_volume(tmp_path / "alone.nii.gz"), read_volume(taker.save(tmp_path / "arrived"))
    assert arrived.same_grid(alone)
    assert np.array_equal(arrived.voxels, alone.voxels)
    first, source = (pydicom.dcmread(next(folder.iterdir())) for folder in (tmp_path / "arrived", series))
    assert first.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert first.StudyInstanceUID == source.StudyInstanceUID
    assert first.SeriesDescription == "SYNTHETIC CT - not acquired"
    assert first.PatientID.startswith("SYN-")
    assert taker.callers == {"MEDP2P"}


def test_identity_is_kept_where_it_is_asked_for_byte_by_byte(model, series, tmp_path) -> None:
    for file in series.iterdir():
        one = pydicom.dcmread(file)
        one.SpecificCharacterSet, one.PatientName = "ISO_IR 192", "Müller^Änne"
        one.save_as(file)
    with archive() as taker, node(model, tmp_path / "spool", taker.port, keep_identity=True) as at_work:
        send(at_work.port, series)
        wait_for(lambda: at_work.sent)
    made = pydicom.dcmread(next(taker.save(tmp_path / "arrived").iterdir()))
    assert (made.PatientID, str(made.PatientName)) == (phantom.SECRETS[1], "Müller^Änne")


def test_it_answers_an_echo_and_takes_calls_from_those_who_are_allowed_alone(model, series, tmp_path) -> None:
    with archive() as taker, node(model, tmp_path / "spool", taker.port, allow=["SCANNER"]) as at_work:
        files = sorted(series.iterdir())
        known = associated(at_work.port, files)
        assert known.send_c_echo().Status == 0
        known.release()
        stranger = wait_for(lambda: associated(at_work.port, files, title="STRANGER"))
        assert (stranger.is_established, stranger.is_rejected) == (False, True)


def test_two_series_of_one_association_come_back_as_two(model, series, tmp_path) -> None:
    other = phantom.write(tmp_path / "other", modality="MR", values=phantom.voxels((16, 12, 4), "MR"))
    for file in other.iterdir():
        file.rename(series / f"other_{file.name}")
    with archive() as taker, node(model, tmp_path / "spool", taker.port) as at_work:
        send(at_work.port, series)
        wait_for(lambda: len(at_work.sent) == 2)
    assert sorted(count for _, count in at_work.sent) == [4, 6]


def test_images_that_come_one_association_each_make_one_series(model, series, tmp_path) -> None:
    patient = replace(QUICK, settle_s=600)
    with archive() as taker, node(model, tmp_path / "spool", taker.port, limits=patient) as at_work:
        for index, file in enumerate(sorted(series.iterdir())):
            alone = tmp_path / f"one{index}"
            alone.mkdir()
            file.rename(alone / file.name)
            assert send(at_work.port, alone) == [0]
        wait_for(lambda: list((at_work.spool / "receiving").glob("*/.released")))
        assert [len(list(folder.glob("*.dcm"))) for folder in (at_work.spool / "receiving").iterdir()] == [6]
    with archive() as taker, node(model, tmp_path / "spool", taker.port) as at_work:
        wait_for(lambda: at_work.sent)
    assert [count for _, count in at_work.sent] == [6]


def test_half_a_series_is_never_translated_and_its_rest_makes_it_whole(model, series, tmp_path) -> None:
    with archive() as taker, node(model, tmp_path / "spool", taker.port) as at_work:
        half = tmp_path / "half"
        half.mkdir()
        for file in sorted(series.iterdir())[:3]:
            (half / file.name).write_bytes(file.read_bytes())
        send(at_work.port, half, release=False)
        wait_for(lambda: len(at_work.files("receiving")) == 3)
        assert at_work.sent == []
        send(at_work.port, series)
        wait_for(lambda: at_work.sent)
    assert [count for _, count in at_work.sent] == [6]


def test_what_waited_too_long_for_its_rest_is_put_aside(model, series, tmp_path) -> None:
    impatient = replace(QUICK, unfinished_s=0.5)
    with archive() as taker, node(model, tmp_path / "spool", taker.port, limits=impatient) as at_work:
        send(at_work.port, series, release=False)
        wait_for(at_work.failed)
        assert "broke off" in at_work.failed()[0]
        assert len(list((at_work.spool / "failed").glob("*/source/*.dcm"))) == 6


def test_late_images_of_a_translated_series_are_put_aside_and_the_whole_is_taken_again(model, series, tmp_path) -> None:
    late = tmp_path / "late"
    late.mkdir()
    last = sorted(series.iterdir())[-1]
    content = last.read_bytes()
    last.rename(late / last.name)
    with archive() as taker, node(model, tmp_path / "spool", taker.port) as at_work:
        send(at_work.port, series)
        wait_for(lambda: at_work.sent)
        send(at_work.port, late)
        wait_for(at_work.failed)
        assert "send the whole series again" in at_work.failed()[0]
        last.write_bytes(content)
        send(at_work.port, series)
        wait_for(lambda: len(at_work.sent) == 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one, index: setattr(one, "ImagePositionPatient", [0, 0, index**2]), "evenly spaced"),
        (lambda one, index: setattr(one, "PatientID", f"P{index}"), "several patients"),
        (lambda one, index: setattr(one, "PixelSpacing", [0, 1]), "pixel size of 0"),
    ],
)
def test_a_bad_series_is_kept_apart_with_its_reason_and_stops_no_other(
    model, series, tmp_path, change, reason, caplog
) -> None:
    caplog.set_level(logging.DEBUG, "medp2p")
    bad = phantom.write(tmp_path / "bad", modality="MR", values=phantom.voxels((20, 18, 6), "MR"), change=change)
    with archive() as taker, node(model, tmp_path / "spool", taker.port) as at_work:
        send(at_work.port, bad)
        send(at_work.port, series)
        wait_for(lambda: at_work.sent and at_work.failed())
        assert reason in at_work.failed()[0]
    said = caplog.text + at_work.failed()[0] + "".join(map(str, tmp_path.joinpath("spool").rglob("*")))
    uid = pydicom.dcmread(next(bad.iterdir())).SeriesInstanceUID
    assert [secret for secret in (*phantom.SECRETS, uid) if secret in said] == []


def test_a_ct_is_not_taken_for_an_mr_nor_a_synthetic_series_for_a_scan(model, series, tmp_path) -> None:
    to_flair = save(_made(tmp_path / "flair"), description(targets=("flair",), intensity={"mr": MR, "flair": _known()}))
    ct = phantom.write(tmp_path / "ct")
    with archive() as taker, node(to_flair, tmp_path / "spool", taker.port) as at_work:
        send(at_work.port, ct)
        wait_for(at_work.failed)
        send(at_work.port, series)
        wait_for(lambda: at_work.sent)
        send(at_work.port, taker.save(tmp_path / "arrived"))
        wait_for(lambda: len(at_work.failed()) == 2)
        assert sorted(reason.split(" (")[0].split(". ")[0] for reason in at_work.failed()) == [
            "a series of another kind than the model translates",
            "a synthetic series, which is not translated again",
        ]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _known():
    return MR.model_copy(update={"limits": (0.0, 900.0)})


def test_every_target_of_a_model_becomes_a_series(series, tmp_path) -> None:
    maps = {"mr": MR, "flair": _known(), "t2": _known()}
    model = save(_made(tmp_path / "both"), description(targets=("flair", "t2"), intensity=maps))
    with archive() as taker, node(model, tmp_path / "spool", taker.port) as at_work:
        send(at_work.port, series)
        wait_for(lambda: at_work.sent)
    taker.save(tmp_path / "arrived")
    made = [pydicom.dcmread(path) for path in (tmp_path / "arrived").iterdir()]
    assert [len({one[tag].value for one in made}) for tag in ("SeriesInstanceUID", "PatientID")] == [2, 1]


def test_images_beyond_the_limits_are_refused_and_the_series_is_not_taken_for_whole(model, series, tmp_path) -> None:
    cases = {"series_images": 4, "spool_bytes": 10_000, "free_bytes": 1 << 60, "image_bytes": 100}
    for name, value in cases.items():
        with archive() as taker, node(
            model, tmp_path / name, taker.port, limits=replace(QUICK, **{name: value}, unfinished_s=0.3)
        ) as at_work:  # fmt: skip
            assert 0xA700 in send(at_work.port, series)
            wait_for(lambda: not at_work.files("receiving"))
            assert at_work.sent == []


def test_a_message_that_would_fill_the_memory_ends_its_association(model, tmp_path) -> None:
    large = phantom.write(tmp_path / "large", modality="MR", values=np.zeros((1024, 1024, 1), np.int16))
    with archive() as taker, node(
        model, tmp_path / "spool", taker.port, limits=replace(QUICK, image_bytes=1 << 20)
    ) as at_work:  # fmt: skip
        association = associated(at_work.port, list(large.iterdir()))
        assert "Status" not in association.send_c_store(next(large.iterdir()))
        wait_for(lambda: not association.is_established)
        assert at_work.files("receiving") == []


def test_an_archive_that_is_away_or_busy_gets_the_same_images_later(model, series, tmp_path) -> None:
    with archive() as taker:
        port = taker.port
    with node(model, tmp_path / "spool", port) as at_work:
        send(at_work.port, series)
        wait_for(lambda: [path for path in at_work.files("work") if "derived" in str(path)])
        with archive(port) as taker:
            taker.statuses = [0, 0, 0xA700]
            wait_for(lambda: at_work.sent)
    assert len(taker.images) == 6


def test_an_archive_that_refuses_leaves_the_series_in_failed(model, series, tmp_path) -> None:
    with archive() as taker, node(model, tmp_path / "spool", taker.port) as at_work:
        taker.statuses = [0xA900]
        send(at_work.port, series)
        wait_for(at_work.failed)
        assert at_work.failed() == ["the receiver refused an image (status A900)"]


def test_the_spool_is_private_and_held_by_one_node(model, tmp_path) -> None:
    spool = tmp_path / "spool"
    with archive() as taker, node(model, spool, taker.port):
        assert {oct(path.stat().st_mode & 0o777) for path in (spool, spool / "receiving")} == {"0o700"}
        with pytest.raises(FileError, match="another node"):
            serve(model, port=0, send="A@127.0.0.1:4242", spool=spool, device="cpu")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="something else"):
        serve(model, port=0, send="A@127.0.0.1:4242", spool=tmp_path / "others", device="cpu")


def test_a_model_of_several_sources_and_a_port_in_use_are_refused(model, tmp_path) -> None:
    several = description(sources=("t1", "t2"), intensity={"t1": MR, "t2": MR, "ct": CT})
    with pytest.raises(ModelError, match="single series"):
        serve(save(_made(tmp_path / "two"), several), port=0, send="A@127.0.0.1:4242", device="cpu")
    with archive() as taker, pytest.raises(ConfigError, match="cannot listen"):
        serve(model, port=taker.port, send="A@127.0.0.1:4242", spool=tmp_path / "spool", device="cpu")


@contextmanager
def command(model: Path, spool: Path, port: int, *options: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """The command line in a process of its own, once it listens."""
    words = ["node", "--run", model, "--port", "0", "--send", f"ARCHIVE@127.0.0.1:{port}", "--spool", spool, *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "medp2p", *map(str, words), "--device", "cpu"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    with process:
        try:
            line = next(line for line in process.stderr if "listens" in line)
            yield process, int(line.split(" port ")[1].split(";")[0])
        finally:
            process.kill()


@pytest.mark.slow
def test_killed_between_receiving_and_sending_it_goes_on_at_the_next_start(model, series, tmp_path) -> None:
    spool = tmp_path / "spool"
    with archive() as taker:
        with command(model, spool, taker.port, "--settle", "600") as (_, port):
            assert send(port, series) == [0] * 6
            wait_for(lambda: list((spool / "receiving").glob("*/.released")))
        assert taker.images == {}
        with command(model, spool, taker.port, "--settle", "0") as (process, _):
            assert process.stdout.readline().endswith(", 6 images\n")
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
    assert (process.returncode, len(taker.images)) == (143, 6)
    assert "Traceback" not in said


@pytest.mark.slow
def test_ended_while_its_archive_is_away_it_keeps_what_it_made(model, series, tmp_path) -> None:
    spool = tmp_path / "spool"
    with archive() as taker:
        port_away = taker.port
    with command(model, spool, port_away, "--settle", "0") as (process, port):
        send(port, series)
        wait_for(lambda: list((spool / "work").glob("*/derived-0/0006.dcm")))
        made = {pydicom.dcmread(path).SOPInstanceUID for path in (spool / "work").glob("*/derived-0/*")}
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (130, False)
    with archive(port_away) as taker, command(model, spool, port_away):
        wait_for(lambda: len(taker.images) == 6)
    assert set(taker.images) == made
