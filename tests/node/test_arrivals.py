"""A series is complete when everybody who sent of it has ended well; the spool never holds half a state."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medp2p.node.arrivals import Arrivals, Full
from medp2p.node.limits import Limits
from medp2p.node.spool import Spool, opened

AT_ONCE = Limits(settle_s=0, unfinished_s=0, free_bytes=0)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with opened(tmp_path / "spool", AT_ONCE) as spool:
        yield spool


def test_a_series_with_two_senders_is_complete_when_both_have_ended(spool: Spool) -> None:
    arrivals = Arrivals(spool)
    for image in ("one", "two"):
        arrivals.begin("series")
        arrivals.put("series", image, b"content")
    arrivals.end(["series"], complete=True)
    arrivals.take_up()
    assert list(spool.path("work").iterdir()) == []
    arrivals.end(["series"], complete=True)
    arrivals.take_up()
    assert sorted(path.name for path in spool.path("work").glob("*/source/*.dcm")) == ["one.dcm", "two.dcm"]


def test_one_sender_that_broke_off_spoils_the_series_that_it_shares(spool: Spool) -> None:
    arrivals = Arrivals(spool)
    for _ in range(2):
        arrivals.begin("series")
    arrivals.put("series", "one", b"content")
    arrivals.end(["series"], complete=False)
    arrivals.end(["series"], complete=True)
    arrivals.take_up()
    assert len(list(spool.path("failed").glob("*/reason.txt"))) == 1


def test_the_same_image_twice_counts_once(tmp_path: Path) -> None:
    with opened(tmp_path / "spool", replace(AT_ONCE, series_images=1)) as spool:
        arrivals = Arrivals(spool)
        arrivals.begin("series")
        arrivals.put("series", "one", b"first")
        arrivals.put("series", "one", b"again")
        with pytest.raises(Full):
            arrivals.put("series", "two", b"content")
        assert spool.path("receiving", "series", "one.dcm").read_bytes() == b"again"


def test_names_say_nothing_without_the_secret_of_the_spool(tmp_path: Path) -> None:
    names = set()
    for folder in ("a", "b", "a"):
        with opened(tmp_path / folder, AT_ONCE) as spool:
            names.add(spool.name("1.2.3", "1.2.3.4"))
    assert [len(name) for name in names] == [32, 32]


def test_what_a_killed_node_left_in_its_spool_is_cleared_or_taken_up(tmp_path: Path) -> None:
    with opened(tmp_path / "spool", AT_ONCE) as spool:
        arrivals = Arrivals(spool)
        arrivals.begin("series")
        arrivals.put("series", "one", b"content")
        arrivals.end(["series"], complete=True)
        half = spool.path("receiving", "series", ".medp2p-host-1-00000000.tmp")
        half.write_bytes(b"half")
        spool.path("gone", "something").mkdir()
    with opened(tmp_path / "spool", AT_ONCE) as spool:
        Arrivals(spool).take_up()
        assert [path.name for path in spool.folder.rglob("*.tmp")] == []
        assert (list(spool.path("gone").iterdir()), len(list(spool.path("work").glob("*/source/one.dcm")))) == ([], 1)


def test_a_spool_that_was_half_made_is_made(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    for name in ("lock", ".medp2p-host-1-00000000.tmp"):
        (tmp_path / "spool" / name).touch()
    with opened(tmp_path / "spool", AT_ONCE) as spool:
        assert sorted(path.name for path in spool.folder.iterdir() if path.is_file()) == ["lock", "secret"]
