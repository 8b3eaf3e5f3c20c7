"""Cohorts as people keep them: the files of one case come together, and nothing is guessed where two would fit."""

import json
from pathlib import Path

import pytest

from medp2p.data.cases import find_cases
from medp2p.data.layouts import list_cases
from medp2p.errors import ConfigError
from tests.data.configs import config_of


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


def found(root: Path, channels: tuple[str, ...], layout: str, **files: str) -> dict[str, dict[str, str]]:
    return {
        case.id: {name: path.relative_to(root).as_posix() for name, path in case.files.items()}
        for case in list_cases(root, channels, layout=layout, files=files)
    }


def test_a_flat_folder_is_sorted_by_the_names_of_its_files(tmp_path) -> None:
    root = tree(tmp_path, "S1.2_mr.nii.gz", "S1.2_ct.MHA", "S2_mr.nii.gz", "notes.txt", ".hidden_mr.nii.gz")
    assert found(root, ("mr", "ct"), "names") == {
        "S1.2": {"mr": "S1.2_mr.nii.gz", "ct": "S1.2_ct.MHA"}, "S2": {"mr": "S2_mr.nii.gz"},
    }  # fmt: skip


def test_a_file_belongs_to_the_pattern_that_says_most_of_it(tmp_path) -> None:
    root = tree(tmp_path, "a.nii.gz", "a_0000.nii.gz")
    assert found(root, ("mr", "ct"), "names", mr="{case}_0000", ct="{case}") == {
        "a": {"mr": "a_0000.nii.gz", "ct": "a.nii.gz"}
    }


def test_all_anatomies_of_synthrad_are_one_cohort(tmp_path) -> None:
    names = [f"Task1/{part}/{case}/{name}.mha" for part, case in (("AB", "1ABA005"), ("TH", "1THB006"))
             for name in ("mr", "ct", "mask")]  # fmt: skip
    root = tree(tmp_path, *names, "Task1/AB/overview/1ABA005_train.png")
    files = {"mr": "*/{case}/mr.mha", "ct": "*/{case}/ct.mha", "body": "*/{case}/mask.mha"}
    data = {"layout": "names", "files": files, "split": {"validation": 0, "test": 0}}
    cases = find_cases(config_of(root / "Task1", data=data))
    assert [case.id for case in cases] == ["1ABA005", "1THB006"]
    assert cases[1].body == root / "Task1" / "TH" / "1THB006" / "mask.mha"


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    return tree(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_acq-fast_T1w.nii.gz", "sub-01/anat/sub-01_FLAIR.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_run-1_T1w.nii.gz", "sub-02/ses-a/anat/sub-02_ses-a_FLAIR.nii.gz",
        "sub-02/ses-b/anat/sub-02_ses-b_T1w.nii.gz", "sub-02/ses-b/anat/sub-02_ses-b_FLAIR.nii.gz",
        "sub-03/anat/sub-03_T1w.nii.gz",
        "derivatives/lst/sub-01/anat/sub-01_label-lesion_mask.nii.gz",
        "derivatives/other/sub-01/anat/sub-01_T1w.nii.gz", "sourcedata/sub-01/sub-01_T1w.nii.gz",
    )  # fmt: skip


def test_subjects_and_sessions_of_bids_are_cases_and_a_subject_is_one_patient(bids, caplog) -> None:
    files = {"regions": "derivatives/lst/label-lesion_mask"}
    data = {
        "sources": "t1",
        "target": "flair",
        "layout": "bids",
        "files": files,
        "split": {"validation": 0, "test": 0.5},
    }
    cases = find_cases(config_of(bids, data=data, regions={"names": {1: "lesion"}}))
    assert {case.id: case.patient for case in cases} == {
        "sub-01": "sub-01", "sub-02_ses-a": "sub-02", "sub-02_ses-b": "sub-02"
    }  # fmt: skip
    assert cases[0].files["t1"] == bids / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    assert cases[1].files["t1"].name == "sub-02_ses-a_run-1_T1w.nii.gz"
    assert [path.name for path in cases[0].regions] == ["sub-01_label-lesion_mask.nii.gz"]
    assert cases[1].split == cases[2].split != cases[0].split
    assert "passed over, as scans are lacking: sub-03 (flair)" in caplog.text


def test_of_two_runs_none_is_guessed(bids) -> None:
    tree(bids, "sub-02/ses-a/anat/sub-02_ses-a_run-2_T1w.nii.gz")
    with pytest.raises(ConfigError, match=r"two files for t1 of sub-02_ses-a"):
        list_cases(bids, ["t1"], layout="bids")
    assert len(list_cases(bids, ["t1"], layout="bids", files={"t1": "run-2_T1w"})) == 1


@pytest.fixture
def nnunet(tmp_path: Path) -> Path:
    (tmp_path / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "T1", "1": "T2"}, "labels": {"lesion": 1}})
    )
    return tree(tmp_path, *(f"imagesTr/p_{case}_000{n}.nii.gz" for case in (1, 2) for n in (0, 1)),
                "labelsTr/p_1.nii.gz", "labelsTr/p_2.nii.gz", "imagesTs/p_3_0000.nii.gz")  # fmt: skip


def test_channels_of_nnunet_are_known_by_dataset_json_and_labels_are_regions(nnunet) -> None:
    cases = list_cases(nnunet, ["t1", "second"], layout="nnunet", files={"second": "T2"})
    assert [case.id for case in cases] == ["p_1", "p_2"]
    assert {name: path.name for name, path in cases[0].files.items()} == {
        "t1": "p_1_0000.nii.gz", "second": "p_1_0001.nii.gz"
    }  # fmt: skip
    assert cases[1].regions == (nnunet / "labelsTr" / "p_2.nii.gz",)


def test_a_target_among_the_labels_of_nnunet_is_no_label_map(nnunet) -> None:
    cases = list_cases(nnunet, ["t1", "ct"], layout="nnunet", files={"ct": "labelsTr/{case}"})
    assert cases[0].files["ct"] == nnunet / "labelsTr" / "p_1.nii.gz"
    assert cases[0].regions == ()


def test_what_is_not_there_is_told(nnunet, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.json: no channel of this name for flair.*t1, t2"):
        list_cases(nnunet, ["flair"], layout="nnunet")
    with pytest.raises(ConfigError, match=r"cases lack a scan.*p_3"):
        find_cases(
            config_of(nnunet, data={"layout": "names", "files": {"mr": "images*/{case}_0000", "ct": "*/{case}_0001"}})
        )
    with pytest.raises(ConfigError, match=r"no \{case\} in the name of ct"):
        list_cases(nnunet, ["ct"], layout="names", files={"ct": "ct.nii.gz"})
    with pytest.raises(ConfigError, match=r"no case is in the folder, read as bids"):
        find_cases(config_of(nnunet, data={"layout": "bids"}))


@pytest.mark.parametrize(
    ("layout", "paths"),
    [
        ("bids", ["dataset_description.json", "sub-01/anat/sub-01_T1w.nii.gz"]),
        ("nnunet", ["dataset.json", "imagesTr/a_0000.nii.gz"]),
        ("names", ["S1_mr.nii.gz", "S1_ct.nii.gz"]),
        ("names", ["S1_mr.nii.gz", "S1_ct.nii.gz", "overview/S1.png"]),
    ],
)
def test_a_folder_that_is_laid_out_otherwise_is_answered_with_its_layout(tmp_path, layout: str, paths) -> None:
    with pytest.raises(ConfigError, match=rf"Fix: write layout: {layout} below data, if that is what it is; else"):
        find_cases(config_of(tree(tmp_path, *paths)))


def test_of_bids_the_suffixes_that_were_looked_for_are_told(tmp_path) -> None:
    root = tree(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_ct.nii.gz")
    with pytest.raises(ConfigError, match=r"expected sub-…_mr, sub-…_ct\). Fix: .* as \{mr: T1w\}"):
        find_cases(config_of(root, data={"layout": "bids"}))


def test_a_folder_inside_of_a_raw_data_set_of_nnunet_is_told_from_the_whole(nnunet) -> None:
    with pytest.raises(ConfigError, match=r"imagesTr: this is no raw data set of nnU-Net"):
        list_cases(nnunet / "imagesTr", ["t1"], layout="nnunet")
