"""Pictures of a case: prepared pixel by pixel, and refused by file and cause before anything is prepared."""

from pathlib import Path

import numpy as np
import pytest

from medp2p.config import Config
from medp2p.data.augmentation import Augmentation
from medp2p.data.cases import find_cases
from medp2p.data.cohort import check_cohort, prepare_cohort
from medp2p.data.loading import load_case
from medp2p.data.picture_cases import with_seen_pictures
from medp2p.data.prepared import as_mapped
from medp2p.data.slices import SliceLoader
from medp2p.errors import ConfigError
from medp2p.picture import of_channels, pixels_of
from tests.data.picture_sets import config_of, halves, noise, pair, put, two_folders

ALL_TRAIN = {"split": {"validation": 0.0, "test": 0.0}}


def seen(folder: Path, **sections: object) -> Config:
    data = ALL_TRAIN | sections.pop("data", {})  # type: ignore[operator]
    return with_seen_pictures(config_of(folder, data=data, **sections))


def refusals(folder: Path, **sections: object) -> list[str]:
    return [str(each) for each in check_cohort(config_of(folder, **sections)).faults]


def test_channels_and_depths_follow_from_the_files(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / f"label/{number}.png", noise(number, colours=1, kind="u2"))
        put(tmp_path / f"photo/{number}.png", noise(9 + number))
    config = seen(tmp_path, intensity={"label": {"kind": "window", "low": 0, "high": 4095}})
    assert config.data.sources == ("label",)
    assert config.data.target == ("photo.red", "photo.green", "photo.blue")
    assert config.data.bits == {"label": 16, "photo": 8}
    assert [config.intensity[name].high for name in config.data.channels] == [4095.0, 255.0, 255.0, 255.0]
    assert with_seen_pictures(config) == config


@pytest.mark.parametrize("sides", [None, ["photo", "label"]])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_what_is_prepared_is_the_picture_right_way_up(tmp_path: Path, sides: list[str] | None, kind: str) -> None:
    given = {name: noise(number, kind=kind) for number, name in enumerate(("label", "photo"))}
    if sides:
        put(tmp_path / "a.png", np.concatenate([given["photo"], given["label"]], axis=1))
    else:
        for name, pixels in given.items():
            put(tmp_path / name / "a.png", pixels)
    config = seen(tmp_path, data={"side_by_side": sides})
    entry = prepare_cohort(config, store=tmp_path / "store").entries()[0]
    planes = (as_mapped(entry.open()[0])[0] + 1) / 2 * np.iinfo(kind).max
    expected = np.concatenate([given["label"], given["photo"]], axis=2).transpose(2, 0, 1)
    assert np.abs(planes - expected).max() < (0.01 if kind == "u1" else 1.1)  # the store has 65534 steps


def test_a_picture_is_resized_before_slices_are_cut(tmp_path: Path) -> None:
    two_folders(tmp_path, range(2))
    config = seen(tmp_path, preparation={"size": [8, 8], "resize": [20, 24]})
    entry = prepare_cohort(config, store=tmp_path / "store").entries()[0]
    assert entry.size == (20, 24)


def test_jitter_cuts_both_of_a_pair_alike_and_elsewhere_in_every_epoch(tmp_path: Path) -> None:
    for number in range(4):
        for name in ("label", "photo"):
            put(tmp_path / name / f"{number}.png", noise(number) // 2 + (0 if name == "label" else 1))
    entries = prepare_cohort(seen(tmp_path), store=tmp_path / "store").entries()
    loader = SliceLoader(
        entries, sources=3, size=(8, 8), batch_size=4, seed=0, augmentation=Augmentation(flip=0.5), ahead=0
    )
    first, second = (next(iter(loader.batches(epoch))) for epoch in (0, 1))
    one_level = 2 / 255
    assert float((first.target - first.source - one_level).abs().max()) < 1e-4
    order = [second.indices.index(number) for number in first.indices]
    assert all(not bool((first.source[row] == second.source[other]).all()) for row, other in enumerate(order))


def test_pixels_weigh_what_their_region_weighs(tmp_path: Path) -> None:
    two_folders(tmp_path, range(1))
    labels = np.zeros((12, 16), np.uint8)
    labels[2:5, 3:9] = 7
    put(tmp_path / "regions/0.png", labels)
    regions = {"names": {"7": "window"}, "weights": {"window": 5.0}}
    config = seen(tmp_path, data={"files": {"regions": "regions"}}, regions=regions)
    entry = prepare_cohort(config, store=tmp_path / "store").entries()[0]
    _, numbers = entry.open()
    assert numbers is not None
    np.testing.assert_array_equal(entry.table[numbers[0]], np.where(labels == 7, 5.0, 1.0))


def test_what_differs_from_the_others_is_refused_by_file_and_all_at_once(tmp_path: Path) -> None:
    two_folders(tmp_path, range(9))
    put(tmp_path / "photo/1.png", noise(50, colours=1))
    put(tmp_path / "label/2.png", noise(51, kind="u2"))
    put(tmp_path / "photo/3.png", noise(52, size=(12, 14)))
    (tmp_path / "photo/4.png").write_bytes((tmp_path / "photo/4.png").read_bytes()[:300])
    put(tmp_path / "regions/5.png", noise(53, colours=1, size=(6, 8)))
    put(tmp_path / "regions/6.png", noise(54))
    said = refusals(tmp_path, data={"files": {"regions": "regions"}})
    causes = {
        "photo/1.png: 1: a picture of another depth, or with other channels (found 1 channel of 8 bits, expected 3 ch",
        "label/2.png: 2: a picture of another depth, or with other channels (found 3 channels of 16 bits, expected 3",
        "photo/3.png: 3: a picture of another size than its partner (found 14 x 12 pixels, expected 16 x 12)",
        "photo/4.png: the picture is cut or damaged",
        "regions/5.png: 5: a picture of another size than its partner (found 8 x 6 pixels, expected 16 x 12)",
        "regions/6.png: a picture in colour, where labels are needed",
    }
    assert {cause for cause in causes if any(line.startswith(f"{tmp_path}/{cause}") for line in said)} == causes
    assert len(said) == len(causes)
    with pytest.raises(ConfigError):
        prepare_cohort(seen(tmp_path), store=tmp_path / "store")


def test_one_picture_in_two_splits_is_a_leak_but_equal_colours_are_not(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "train", "test")):
        grey = noise(number, colours=1)
        put(tmp_path / split / f"label/{number}.png", np.dstack([grey, grey, np.zeros_like(grey)]))
        put(tmp_path / split / f"photo/{number}.png", noise(10 + number))
    assert refusals(tmp_path) == []
    put(tmp_path / "test/photo/2.png", noise(10))
    assert "the image of train_0 (train) is that of test_2 (test)" in refusals(tmp_path)[0]


def test_an_odd_width_cannot_be_halved(tmp_path: Path) -> None:
    halves(tmp_path)
    put(tmp_path / "3.png", noise(0, size=(12, 31)))
    said = refusals(tmp_path, data={"side_by_side": ["photo", "label"]})
    assert said == [
        f"{tmp_path}/3.png: 3: an odd width cannot be halved (found 31 x 12 pixels, expected two pictures of equal "
        "width side by side). Fix: make both halves anew"
    ]


def test_a_depth_that_was_written_must_be_that_of_the_files(tmp_path: Path) -> None:
    two_folders(tmp_path, range(1))
    said = refusals(tmp_path, data={"bits": {"photo": 16}} | ALL_TRAIN)
    assert "found 3 channels of 8 bits, expected 3 channels of 16 bits" in said[0]


def test_channels_of_a_loaded_case_are_its_pictures(tmp_path: Path) -> None:
    two_folders(tmp_path, range(1))
    config = seen(tmp_path)
    loaded = load_case(find_cases(config)[0], config)
    assert list(loaded.hashes) == ["label", "photo"]
    np.testing.assert_array_equal(pixels_of(of_channels(loaded.volumes)["photo"]), pair(0)["photo"])


def test_a_picture_is_no_scan(tmp_path: Path) -> None:
    put(tmp_path / "S1/mr.png", noise(0, colours=1))
    put(tmp_path / "S1/ct.png", noise(1, colours=1))
    files = {"mr": "mr.png", "ct": "ct.png"}
    data = {"kind": "scans", "sources": "mr", "target": "ct", "files": files, **ALL_TRAIN}
    assert all("a picture, where a scan is needed" in line for line in refusals(tmp_path, data=data))
