"""Pairs of pictures in folders: every layout gives the same pairs, and what lacks a partner is named."""

from pathlib import Path

import numpy as np
import pytest

from medp2p.data.cases import Case, find_cases
from medp2p.errors import ConfigError
from tests.data.picture_sets import config_of, halves, noise, pair, put, two_folders

SIDES = {"side_by_side": ["photo", "label"]}
SPLITS = {"train": range(4), "val": range(4, 5), "test": range(5, 6)}


def splits(cases: list[Case]) -> dict[str, str]:
    return {case.id: case.split for case in cases}


def test_two_folders_with_equal_names_are_pairs_of_which_some_are_held_out(tmp_path: Path) -> None:
    cases = find_cases(config_of(two_folders(tmp_path)))
    assert [case.id for case in cases] == ["0", "1", "2", "3", "4", "5"]
    assert sorted(case.split for case in cases) == ["test", "train", "train", "train", "train", "validation"]
    assert cases[2].files == {"label": tmp_path / "label/2.png", "photo": tmp_path / "photo/2.png"}


def test_the_folders_of_the_reference_say_which_split_a_picture_is_of(tmp_path: Path) -> None:
    expected = {f"{word}_{n}": word.replace("val", "validation") for word, numbers in SPLITS.items() for n in numbers}
    for word, numbers in SPLITS.items():
        two_folders(tmp_path / "outside" / word, numbers)
        two_folders(tmp_path / "inside", numbers, place=f"{{image}}/{word}/{{n}}.png")
        halves(tmp_path / "halves" / word, numbers)
    assert splits(find_cases(config_of(tmp_path / "outside"))) == expected
    assert splits(find_cases(config_of(tmp_path / "inside"))) == expected
    found = find_cases(config_of(tmp_path / "halves", data=SIDES))
    assert splits(found) == expected
    assert found[0].files == dict.fromkeys(("label", "photo"), tmp_path / "halves/test/5.png")


def test_pictures_side_by_side_may_lie_in_one_folder(tmp_path: Path) -> None:
    put(tmp_path / "regions" / "3.png", noise(0, colours=1))
    cases = find_cases(config_of(halves(tmp_path), data=SIDES | {"files": {"regions": "regions"}}))
    assert len(cases) == 6
    assert cases[3].regions == (tmp_path / "regions/3.png",)
    assert not cases[2].regions


def test_folders_may_have_other_names_than_the_pictures(tmp_path: Path) -> None:
    two_folders(tmp_path, place="{image}s/{n}.png")
    cases = find_cases(config_of(tmp_path, data={"files": {"label": "labels", "photo": "photos"}}))
    assert cases[0].files["photo"] == tmp_path / "photos/0.png"


def test_everything_that_lacks_a_partner_is_named_at_once(tmp_path: Path) -> None:
    two_folders(tmp_path)
    (tmp_path / "label/2.png").unlink()
    (tmp_path / "photo/4.png").unlink()
    put(tmp_path / "photo/5.tif", pair(5)["photo"])
    put(tmp_path / "label/a b.png", noise(1))
    put(tmp_path / "photo/a b.png", noise(2))
    with pytest.raises(ConfigError) as refused:
        find_cases(config_of(tmp_path))
    said = str(refused.value)
    assert f"{tmp_path}/photo/2.png: the partner of this picture is missing (expected {tmp_path}/label/2.*)" in said
    assert f"{tmp_path}/label/4.png: the partner of this picture is missing" in said
    assert "5.png and 5.tif" in said
    assert f"{tmp_path}/label/a b.png: the name of the picture cannot be a case id" in said
    assert len(refused.value.faults) == 4


@pytest.mark.parametrize(("made", "data", "cause"), [
    ("label/1.png", {}, "data.files.photo: there is no such folder"),
    ("notes/readme.txt", SIDES, "data.folder: no picture"),
    ("1.png", {}, "data.side_by_side"),
    ("readme.txt", SIDES, "data.folder: there are no pictures.*--kind pictures"),
])  # fmt: skip
def test_what_is_no_set_of_pictures_is_refused_with_a_way_out(
    tmp_path: Path, made: str, data: dict, cause: str
) -> None:
    (tmp_path / made).parent.mkdir(exist_ok=True)
    (tmp_path / made).touch()
    with pytest.raises(ConfigError, match=cause):
        find_cases(config_of(tmp_path, data=data))


def test_a_patient_in_two_folders_of_splits_is_refused(tmp_path: Path) -> None:
    two_folders(tmp_path / "train", range(1))
    two_folders(tmp_path / "test", range(1))
    with pytest.raises(ConfigError, match="patient 0 is in two splits"):
        find_cases(config_of(tmp_path, data={"patient": r"^\w+_(\d+)$"}))


def test_without_a_folder_to_train_on_there_is_no_training(tmp_path: Path) -> None:
    two_folders(tmp_path / "test")
    with pytest.raises(ConfigError, match=r"data\.folder: no case is left to train on"):
        find_cases(config_of(tmp_path))


def test_radiographs_and_other_formats_are_partners_by_name(tmp_path: Path) -> None:
    put(tmp_path / "label/1.PNG", noise(0))
    put(tmp_path / "photo/1.tif", noise(1))
    for image in ("label", "photo"):
        put(tmp_path / image / "2.png", noise(3))
        (tmp_path / image / "2.png").rename(tmp_path / image / "2.dcm")
    cases = find_cases(config_of(tmp_path, data={"split": {"validation": 0.0, "test": 0.0}}))
    assert [sorted(path.name for path in case.files.values()) for case in cases] == [["1.PNG", "1.tif"], ["2.dcm"] * 2]
    assert np.all([case.split == "train" for case in cases])


def test_a_picture_of_a_format_that_is_not_read_is_no_picture_that_is_not_there(tmp_path: Path) -> None:
    halves(tmp_path)
    (tmp_path / "6.gif").write_bytes(b"GIF89a")
    (tmp_path / "7.WebP").write_bytes(b"RIFF")
    with pytest.raises(ConfigError) as refused:
        find_cases(config_of(tmp_path, data=SIDES))
    assert [Path(found.path or "").name for found in refused.value.faults] == ["6.gif", "7.WebP"]
    assert "found .gif, expected .png" in str(refused.value)
