import hashlib
import logging
import shutil
import stat
import sys
from multiprocessing import get_context

import numpy as np
import pytest

from medp2p.data.entry import read_entry
from medp2p.data.store import PlaneStore
from medp2p.errors import FileError

from .prepared_cases import prepared, stored

SETTINGS = {"plane": "axial"}


def never():
    raise AssertionError("the planes were made again")


def test_planes_come_back_as_they_were_made_and_are_not_made_twice(tmp_path):
    weights = np.random.default_rng(0).choice(np.float32([0, 1, 4]), (3, 6, 5))
    made = prepared(weights=weights)
    for prepare in (lambda: made, never):
        entry = PlaneStore(tmp_path).entry("S01", prepare, settings=SETTINGS, content={"mr": "a"})
    images, numbers = entry.open()
    assert np.array_equal(images, made.images)
    assert np.array_equal(entry.table[numbers], weights)
    assert entry.weight_sums == pytest.approx(weights.sum(axis=(1, 2)))
    assert (entry.limits, entry.channels, entry.count) == (made.limits, ("mr", "ct"), 3)


def test_equal_weights_take_no_space(tmp_path):
    entry = stored(tmp_path, weights=np.full((3, 6, 5), 2.0, np.float32))
    assert entry.open()[1] is None
    assert entry.table.tolist() == [2.0]
    assert entry.weight_sums == (60.0, 60.0, 60.0)


@pytest.mark.parametrize("other", [{"settings": {"plane": "coronal"}}, {"content": {"mr": "b"}}])
def test_other_settings_or_other_files_are_other_planes(tmp_path, other):
    usual = {"settings": SETTINGS, "content": {"mr": "a"}}
    store = PlaneStore(tmp_path)
    first = store.entry("S01", prepared, **usual)
    second = store.entry("S01", lambda: prepared(seed=1), **(usual | other))
    assert first.path != second.path
    assert store.entry("S01", never, **usual).key == first.key


def truncated(path, other):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path, other):
    path.write_bytes(b"")


def flipped(path, other):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


def flipped_in_its_description(path, other):
    content = bytearray(path.read_bytes())
    content[-60] ^= 1
    path.write_bytes(content)


def exchanged(path, other):
    shutil.copyfile(other, path)


@pytest.mark.parametrize("damage", [truncated, emptied, flipped, flipped_in_its_description, exchanged])
def test_a_damaged_file_is_made_again_with_one_warning(tmp_path, caplog, damage):
    first, other = stored(tmp_path, "S01"), stored(tmp_path, "S02", seed=5)
    damage(first.path, other.path)
    store = PlaneStore(tmp_path)
    with caplog.at_level(logging.WARNING):
        entries = [stored(store, "S01"), stored(store, "S02", seed=5)]
        store.tell()
        store.tell()
    assert np.array_equal(entries[0].open()[0], prepared().images)
    assert np.array_equal(entries[1].open()[0], prepared(seed=5).images)
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == ["S01"]


def test_a_case_whose_files_changed_is_told_and_one_of_another_cohort_is_not(tmp_path, caplog):
    store = PlaneStore(tmp_path)
    for place, content in (("here", "a"), ("elsewhere", "b"), ("here", "c")):
        store.entry("S01", prepared, settings=SETTINGS, content={"mr": content}, place=place)
        store.tell()
    assert len(caplog.records) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_folder_is_for_its_owner_alone(tmp_path):
    PlaneStore(tmp_path / "runs" / ".medp2p-store")
    assert stat.S_IMODE((tmp_path / "runs" / ".medp2p-store").stat().st_mode) == 0o700


def test_a_file_that_is_no_entry_counts_as_none(tmp_path):
    (tmp_path / "a.planes").write_bytes(bytes(500))
    assert read_entry(tmp_path / "a.planes") is None
    assert read_entry(tmp_path / "b.planes") is None


def test_a_whole_file_of_another_form_counts_as_none(tmp_path):
    text = b'{"case": "S01"}'
    content = text + len(text).to_bytes(8, "little")
    (tmp_path / "a.planes").write_bytes(content + hashlib.sha256(content).digest())
    assert read_entry(tmp_path / "a.planes") is None


def test_an_entry_that_is_gone_is_named(tmp_path):
    entry = stored(tmp_path)
    entry.path.unlink()
    with pytest.raises(FileError, match=entry.path.name):
        entry.open()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="store"):
        PlaneStore(tmp_path / "file" / "store")


def _key_of_the_same_case(folder):
    return stored(folder).key


def test_processes_that_make_the_same_case_at_once_do_each_other_no_harm(tmp_path):
    with get_context("spawn").Pool(2) as pool:
        keys = pool.map(_key_of_the_same_case, [tmp_path] * 8, chunksize=1)
    assert len(set(keys)) == 1
    assert np.array_equal(stored(tmp_path).open()[0], prepared().images)
    assert [path.suffix for path in tmp_path.iterdir()] == [".planes"]
