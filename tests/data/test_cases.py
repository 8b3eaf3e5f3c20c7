import logging

import pytest

from medp2p.data.case_folders import channel_file
from medp2p.data.cases import find_cases, patient_of
from medp2p.data.splits import split_patients
from medp2p.errors import ConfigError, FileError

from .configs import config_of

FILES = ("mr.nii.gz", "ct.nii.gz")


def lay_out(folder, *names, files=FILES):
    """Empty files: nothing is read while cases are found."""
    for name in names:
        for file in files:
            path = folder / name / file.replace("{case}", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return folder


def faults_of(config):
    with pytest.raises(ConfigError) as refused:
        find_cases(config)
    return [str(fault) for fault in refused.value.faults]


def test_every_sub_folder_with_the_files_is_a_case_called_like_it(tmp_path):
    lay_out(tmp_path, "S02.v1", "S01", "S10")
    cases = find_cases(config_of(tmp_path))
    assert [case.id for case in cases] == ["S01", "S02.v1", "S10"]
    assert [case.patient for case in cases] == ["S01", "S02.v1", "S10"]
    assert cases[0].files == {"mr": tmp_path / "S01" / "mr.nii.gz", "ct": tmp_path / "S01" / "ct.nii.gz"}
    assert (cases[0].regions, cases[0].body, cases[0].allow) == ((), None, frozenset())


def test_the_split_is_that_of_the_patients_by_the_seed_of_training(tmp_path):
    lay_out(tmp_path, *(f"p{n}_{study}" for n in range(8) for study in "ab"))
    config = config_of(
        tmp_path, data={"patient": r"^(p\d)_", "split": {"test": 0.25, "validation": 0.1}}, training={"seed": 5}
    )
    expected = split_patients([f"p{n}" for n in range(8)], validation=0.1, test=0.25, seed=5)
    assert {case.patient: case.split for case in find_cases(config)} == expected


def test_hidden_folders_and_files_beside_the_cases_count_as_nothing(tmp_path, caplog):
    lay_out(tmp_path, ".hidden", "S01", "S02", "S03")
    (tmp_path / "labels.yaml").touch()
    with caplog.at_level(logging.WARNING):
        assert len(find_cases(config_of(tmp_path))) == 3
    assert not caplog.records


def test_a_link_to_a_file_that_is_gone_is_a_fault_of_its_case(tmp_path):
    lay_out(tmp_path, "S01", "S02", "S03")
    (tmp_path / "S02" / "mr.nii.gz").unlink()
    (tmp_path / "S02" / "mr.nii.gz").symlink_to("../store/gone.nii.gz")
    (said,) = faults_of(config_of(tmp_path))
    assert said.startswith(f"{tmp_path / 'S02' / 'mr.nii.gz'}: S02: mr: a link to a file that is not there")


def test_a_sub_folder_with_none_of_the_files_is_passed_over_and_named(tmp_path, caplog):
    lay_out(tmp_path, "S01", "S02", "S03")
    (tmp_path / "my notes").mkdir()
    with caplog.at_level(logging.WARNING):
        assert len(find_cases(config_of(tmp_path))) == 3
    assert "my notes" in caplog.text


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    lay_out(tmp_path, "S01", "S02", "S03", "not an id")
    lay_out(tmp_path, "S04", files=["mr.nii.gz"])
    lay_out(tmp_path, "S05", files=["ct.nii.gz"])
    faults = faults_of(config_of(tmp_path, data={"patient": r"^(S\d+)$"}))
    assert len(faults) == 4
    assert "S04: the case has no ct (expected ct.nii.gz)" in faults[0]
    assert "S05: the case has no mr" in faults[1]
    assert "not an id: the name of the folder cannot be a case id" in faults[2]
    assert "data.patient: the expression finds no patient in a case id (found not an id" in faults[3]


def test_masks_that_no_case_has_are_told_by_the_name_of_their_file(tmp_path, caplog):
    folder = lay_out(tmp_path, "S01", "S02", "S03")
    with caplog.at_level("INFO", logger="medp2p.data.cases"):
        find_cases(config_of(folder, data={"files": {"body": "skull.nii.gz"}}))
    assert caplog.messages == ["no case has skull.nii.gz, the optional data.files.body"]


def test_masks_are_optional_and_a_case_that_alone_lacks_one_is_named(tmp_path, caplog):
    lay_out(tmp_path, "S01", "S02", files=[*FILES, "regions.nii.gz", "body.nii.gz"])
    lay_out(tmp_path, "S03")
    masks = {"regions": "regions.nii.gz", "body": "body.nii.gz"}
    with caplog.at_level(logging.WARNING):
        cases = find_cases(config_of(tmp_path, data={"files": masks}))
    assert [len(case.regions) for case in cases] == [1, 1, 0]
    assert [case.body is None for case in cases] == [False, False, True]
    assert [record.getMessage() for record in caplog.records] == ["no regions file in S03", "no body file in S03"]


def test_several_label_maps_keep_their_order_and_names_hold_the_case(tmp_path):
    files = {"mr": "{case}_mr.nii.gz", "ct": "anat/{case}_ct.mha", "regions": ["{case}_b.nii.gz", "{case}_a.nii.gz"]}
    names = [files["mr"], files["ct"], *files["regions"]]
    lay_out(tmp_path, "S01", "S02", "S03", files=names)
    case = find_cases(config_of(tmp_path, data={"files": files}))[1]
    assert case.files["ct"] == tmp_path / "S02" / "anat" / "S02_ct.mha"
    assert [path.name for path in case.regions] == ["S02_b.nii.gz", "S02_a.nii.gz"]


@pytest.mark.parametrize("there", ["mr.NII.GZ", "mr.mha", "mr.Nrrd"])
def test_a_file_is_known_by_its_name_with_any_image_extension_in_any_case(tmp_path, there):
    (tmp_path / there).touch()
    (tmp_path / "mr.txt").touch()
    assert channel_file(tmp_path, "mr.nii.gz") == tmp_path / there


def test_two_files_of_one_name_are_refused_by_both_unless_one_is_meant_exactly(tmp_path):
    (tmp_path / "mr.mha").touch()
    (tmp_path / "mr.nrrd").touch()
    with pytest.raises(FileError, match=r"mr\.mha: two files of one name \(found .*mr\.nrrd"):
        channel_file(tmp_path, "mr.nii.gz")
    (tmp_path / "mr.nii.gz").touch()
    assert channel_file(tmp_path, "mr.nii.gz") == tmp_path / "mr.nii.gz"


def test_no_patient_left_to_train_on_is_refused_with_the_numbers(tmp_path):
    lay_out(tmp_path, "S01", "S02")
    assert faults_of(config_of(tmp_path)) == [
        "data.split: no patient is left to train on (found 2 patients: 1 test, 1 validation, expected at least one "
        "more). Fix: add patients, or hold out fewer (a share of 0 holds out none)"
    ]


def test_a_folder_without_a_case_says_what_a_case_must_hold(tmp_path):
    (tmp_path / "scans").mkdir()
    (fault,) = faults_of(config_of(tmp_path))
    assert "data.folder" in fault
    assert "mr.nii.gz, ct.nii.gz" in fault
    assert "--set data.folder=DIR" in fault


def test_a_folder_that_is_not_there_offers_synthetic_heads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (fault,) = faults_of(config_of(tmp_path / "data" / "mr2ct"))
    assert "medp2p phantom data/mr2ct" in fault


def listed(folder, *rows, **more):
    entries = [
        {"id": name, "split": split, "mr": str(folder / "mr.nii.gz"), "ct": str(folder / "ct.nii.gz"), **extra}
        for name, split, extra in rows
    ]
    return config_of(data={"cases": entries, **more})


def test_listed_cases_come_as_they_are_listed_but_in_the_order_of_their_ids(tmp_path):
    lay_out(tmp_path, "")
    config = listed(tmp_path, ("S2", "train", {"allow": ["hu_range"]}), ("S1", "test", {"patient": "P"}))
    cases = find_cases(config)
    assert [(case.id, case.patient, case.split, set(case.allow)) for case in cases] == [
        ("S1", "P", "test", set()),
        ("S2", "S2", "train", {"hu_range"}),
    ]


def test_a_patient_in_two_splits_is_refused_by_both_cases(tmp_path):
    lay_out(tmp_path, "")
    config = listed(tmp_path, ("S1", "train", {"patient": "P"}), ("S2", "test", {"patient": "P"}))
    (fault,) = faults_of(config)
    assert "patient P is in two splits" in fault
    assert "S2 in test, S1 in train" in fault


def test_a_patient_of_a_list_is_found_by_the_expression_too(tmp_path):
    lay_out(tmp_path, "")
    config = listed(tmp_path, ("P1_a", "train", {}), ("P1_b", "test", {}), patient=r"^(P\d)_")
    assert "patient P1 is in two splits" in faults_of(config)[0]


def test_a_list_with_nobody_to_train_on_is_refused(tmp_path):
    lay_out(tmp_path, "")
    assert (
        "no case is left to train on (found 1 test, 0 validation)" in faults_of(listed(tmp_path, ("S1", "test", {})))[0]
    )


def test_every_listed_file_that_is_missing_is_named(tmp_path):
    config = listed(tmp_path, ("S1", "train", {"body": str(tmp_path / "body.nii.gz")}))
    faults = faults_of(config)
    assert [fault.split(":")[0] for fault in faults] == [str(tmp_path / n) for n in (*FILES, "body.nii.gz")]


def test_the_cases_of_one_split_do_not_need_the_files_of_others(tmp_path):
    lay_out(tmp_path, "")
    elsewhere = {"mr": str(tmp_path / "gone.nii.gz")}
    config = listed(tmp_path, ("S1", "train", elsewhere), ("S2", "test", {}))
    assert [case.id for case in find_cases(config, split="test")] == ["S2"]
    assert "gone.nii.gz" in faults_of(config)[0]


def test_a_csv_file_lists_cases_with_paths_relative_to_itself(tmp_path):
    lay_out(tmp_path, "scans")
    table = tmp_path / "cases.csv"
    table.write_text("\ufeffid;split;mr;ct;patient\nS1;train;scans/mr.nii.gz;scans/ct.nii.gz;\n", "utf-8")
    (case,) = find_cases(config_of(data={"cases": str(table)}))
    assert case.files["ct"] == tmp_path / "scans" / "ct.nii.gz"
    assert case.patient == "S1"


@pytest.mark.parametrize(
    ("case", "pattern", "patient"), [("a_1", r"^(\w)_", "a"), ("b", r"(x)|b", None), ("c", None, "c")]
)
def test_a_patient_is_group_1_of_the_expression_or_nobody(case, pattern, patient):
    assert patient_of(case, pattern) == patient
