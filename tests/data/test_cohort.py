import logging
import stat
import time
from pathlib import Path

import numpy as np
import pytest

import medp2p.data.cohort
import medp2p.data.transforms
from medp2p.data.cohort import check_cohort, prepare_cohort
from medp2p.data.slices import SliceLoader
from medp2p.errors import ConfigError, Medp2pError
from medp2p.io import read_volume, write_volume

from .configs import config_of
from .scans_on_disk import AFFINE, SHAPE, head, write_case, write_cohort

NAMES = ("S01", "S02", "S03", "S04")
MASKS = {"files": {"regions": "regions.nii.gz", "body": "body.nii.gz"}}
REGIONS = {"names": {1: "brain", 2: "bone", 3: "air"}, "weights": {"bone": 4.0}}


@pytest.fixture
def cohort(tmp_path):
    return write_cohort(tmp_path / "scans", *NAMES, masks=True)


def masked(folder, **sections):
    return config_of(folder, data=MASKS, **({"regions": REGIONS} | sections))


def faults_of(config):
    return [str(fault) for fault in check_cohort(config).faults]


def test_a_sound_cohort_has_no_fault_and_nothing_is_written(cohort, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    found = check_cohort(masked(cohort))
    assert (found.faults, found.warnings) == ((), ())
    assert sorted(tmp_path.rglob("*")) == before


def test_checking_tells_which_cases_belong_to_each_split(cohort, caplog):
    with caplog.at_level(logging.INFO, logger="medp2p.data.cohort"):
        check_cohort(config_of(cohort, data={"split": {"validation": 0.0, "test": 0.0}}))
    assert {"train: S01, S02, S03, S04", "validation: no case", "test: no case"} <= set(caplog.messages)


def test_cases_to_train_on_are_prepared_and_the_others_only_read(cohort, tmp_path):
    made = prepare_cohort(masked(cohort), store=tmp_path / "store")
    assert [case.id for case in made.cases] == list(NAMES)
    assert {name: len(made.split(name)) for name in ("train", "validation", "test")} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }
    assert [entry.case for entry in made.entries()] == [case.id for case in made.split("train")]
    assert made.entries("test") == []
    assert set(made.hashes) == set(NAMES)
    assert made.names == REGIONS["names"]
    assert made.target_limits()["ct"] == (-1024.0, 3071.0)
    assert made.entries()[0].table.tolist() == [1.0, 4.0]


def test_a_second_training_prepares_nothing(cohort, tmp_path, monkeypatch):
    first = prepare_cohort(masked(cohort), store=tmp_path / "store")
    monkeypatch.setattr(medp2p.data.transforms, "prepare", None)
    second = prepare_cohort(masked(cohort, training={"epochs": 7}), store=tmp_path / "store")
    assert [entry.path for entry in second.entries()] == [entry.path for entry in first.entries()]


@pytest.mark.parametrize(
    "sections",
    [
        {"preparation": {"plane": "coronal"}},
        {"preparation": {"spacing_mm": [2.0, 2.0]}},
        {"preparation": {"mask_outside_body": False}},
        {"intensity": {"ct": {"high": 2000}}},
        {"intensity": {"mr": {"high": 99}}},
        {"regions": REGIONS | {"weights": {"bone": 5.0}}},
    ],
)
def test_what_decides_on_planes_makes_them_anew(cohort, tmp_path, sections):
    first = prepare_cohort(masked(cohort), store=tmp_path / "store").entries()
    second = prepare_cohort(masked(cohort, **sections), store=tmp_path / "store").entries()
    assert not {entry.path for entry in first} & {entry.path for entry in second}


def test_a_source_that_changed_is_prepared_anew_with_one_warning(cohort, tmp_path, caplog):
    config = masked(cohort)
    first = prepare_cohort(config, store=tmp_path / "store")
    case = first.split("train")[0]
    write_case(cohort / case.id, mr=head(seed=77)["mr"])
    with caplog.at_level(logging.WARNING):
        second = prepare_cohort(config, store=tmp_path / "store")
    assert len(caplog.records) == 1
    assert case.id in caplog.text
    assert second.hashes[case.id]["mr"] != first.hashes[case.id]["mr"]


def test_the_store_is_for_its_owner_alone(cohort, tmp_path):
    prepare_cohort(masked(cohort), store=tmp_path / "runs" / "store")
    assert stat.S_IMODE((tmp_path / "runs" / "store").stat().st_mode) == 0o700


def test_every_fault_of_every_case_is_told_at_once_and_nothing_is_trained_on(cohort, tmp_path):
    write_case(cohort / "S01", ct=head()["ct"] + 1024)
    write_case(cohort / "S03", mr=head(9)["mr"][:-1])
    write_case(cohort / "S04", regions=np.full(SHAPE, 9, np.uint8))
    (cohort / "S02" / "body.nii.gz").write_bytes(b"")
    with pytest.raises(ConfigError) as refused:
        prepare_cohort(masked(cohort), store=tmp_path / "store")
    messages = [str(fault) for fault in refused.value.faults]
    for number, cause in ((1, "ct cannot be in HU"), (3, "lies on another grid"), (4, "label 9 has no name")):
        assert any(f"S0{number}" in message and cause in message for message in messages)
    assert any("S02" in message and "body.nii.gz" in message for message in messages)


def test_a_mask_of_the_body_with_fractions_is_refused(cohort):
    body = read_volume(cohort / "S02" / "body.nii.gz")
    write_volume(body.with_voxels(body.voxels * np.float32(0.5)), cohort / "S02" / "body.nii.gz", overwrite=True)
    (message,) = faults_of(masked(cohort))
    assert "body.nii.gz: labels that are no labels (found 0.5" in message


def test_one_image_in_two_splits_is_refused_whatever_its_file_is_called(cohort, tmp_path):
    made = prepare_cohort(masked(cohort), store=tmp_path / "store")
    train, test = made.split("train")[0].id, made.split("test")[0].id
    (cohort / test / "mr.nii.gz").write_bytes((cohort / train / "mr.nii.gz").read_bytes())
    (message,) = faults_of(masked(cohort))
    assert "the image of" in message
    assert f"{train} (train)" in message
    assert f"{test} (test)" in message


def test_one_image_in_two_cases_of_a_split_is_told(cohort, tmp_path):
    made = prepare_cohort(masked(cohort), store=tmp_path / "store")
    first, second = (case.id for case in made.split("train"))
    (cohort / second / "mr.nii.gz").write_bytes((cohort / first / "mr.nii.gz").read_bytes())
    found = check_cohort(masked(cohort))
    assert found.faults == ()
    assert found.warnings == (f"mr of {first} is also in {second}",)


def test_a_weight_for_a_region_that_no_case_can_have_is_refused_with_the_nearest_name(cohort):
    table = cohort / "labels.yaml"
    table.write_text("1: brain\n2: bone\n3: air\n")
    (message,) = faults_of(masked(cohort, regions={"names": str(table), "weights": {"bonee": 2.0}}))
    assert "regions.weights.bonee: no case has a region of this name" in message
    assert "Fix: write bone" in message


def test_a_best_region_that_no_validation_case_can_have_is_refused(cohort):
    table = cohort / "labels.yaml"
    table.write_text("1: brain\n2: bone\n")
    best = {"best_by": {"metric": "mae", "region": "brainn"}}
    (message,) = faults_of(masked(cohort, regions={"names": str(table)}, evaluation=best))
    assert "evaluation.best_by.region: no case has a region of this name (found brainn" in message


def test_a_training_without_a_weighted_voxel_is_refused(cohort):
    weights = {"background": 0.0, "brain": 0.0, "bone": 0.0}
    (message,) = faults_of(masked(cohort, regions=REGIONS | {"weights": weights}))
    assert "regions.weights: no voxel to train on has a weight above 0" in message


def test_a_weight_for_the_background_is_that_of_label_0(cohort, tmp_path):
    made = prepare_cohort(masked(cohort, regions=REGIONS | {"weights": {"background": 0.5}}), store=tmp_path / "s")
    assert made.entries()[0].table.tolist() == [0.5, 1.0]


def test_a_weighted_region_without_a_voxel_to_train_on_is_told(cohort):
    found = check_cohort(masked(cohort, regions=REGIONS | {"weights": {"air": 2.0}}))
    assert found.faults == ()
    assert found.warnings == ("air has a weight, but no voxel in the cases to train on",)


def test_label_maps_without_a_label_are_told_once(cohort):
    for name in ("S01", "S02"):
        write_case(cohort / name, regions=np.zeros(SHAPE, np.uint8))
    found = check_cohort(masked(cohort, regions={"names": {1: "brain", 2: "bone"}}))
    assert found.faults == ()
    assert found.warnings == ("no region at all in the label maps of S01, S02",)


def test_groups_of_a_label_table_may_have_a_weight(cohort, tmp_path):
    table = cohort / "labels.yaml"
    table.write_text("1: brain\n2: bone\ngroups: {all: [brain, bone]}\n")
    config = masked(cohort, regions={"names": str(table), "weights": {"all": 3.0}})
    assert prepare_cohort(config, store=tmp_path / "s").entries()[0].table.tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("groups", "message"),
    [({"head": ["brian"]}, 'found "brian". Fix: did you mean `brain`'), ({"bone": ["brain"]}, "name is taken")],
)
def test_a_group_that_does_not_fit_the_label_table_is_told_once_by_its_key(cohort, groups, message):
    table = cohort / "labels.yaml"
    table.write_text("1: brain\n2: bone\n3: air\n")
    (found,) = faults_of(masked(cohort, regions={"names": str(table), "groups": groups}))
    assert f"regions.groups.{next(iter(groups))}: " in found
    assert message in found.replace(")", "")


def test_of_a_scan_that_lies_elsewhere_its_partner_is_told_and_no_mask_is_blamed(cohort):
    moved = AFFINE.copy()
    moved[0, 3] += 5.0
    write_case(cohort / "S02", affines={"mr": moved}, mr=head(1)["mr"])
    (message,) = faults_of(masked(cohort))
    assert "ct.nii.gz: S02: ct lies on another grid than mr" in message


def test_a_label_table_that_is_refused_is_a_fault_of_its_own(cohort):
    (message,) = faults_of(masked(cohort, regions={"names": str(cohort / "nowhere.yaml")}))
    assert "nowhere.yaml" in message


def test_cases_that_are_links_to_the_same_files_are_read_and_prepared_once(cohort, tmp_path, monkeypatch):
    for number in range(50):
        (cohort / f"L{number:02}").symlink_to(cohort / "S01", target_is_directory=True)
    read, original = [], medp2p.data.cohort.load_case
    monkeypatch.setattr(
        "medp2p.data.cohort.load_case", lambda case, *rest: read.append(case.id) or original(case, *rest)
    )
    config = config_of(cohort, data=MASKS | {"split": {"test": 0, "validation": 0}})
    made = prepare_cohort(config, store=tmp_path / "store")
    assert read == ["L00", "S02", "S03", "S04"]
    assert [entry.case for entry in made.entries()] == [case.id for case in made.cases]
    assert len({entry.path for entry in made.entries()}) == 4
    assert len(made.hashes) == 54


def test_progress_is_told_about_every_case(cohort):
    told = []
    check_cohort(masked(cohort), progress=lambda done, total, what: told.append((done, total)))
    assert told == [(n, 4) for n in range(5)]


def test_a_machine_that_fails_is_no_fault_of_the_input(cohort, monkeypatch):
    def failing(path):
        error = Medp2pError(path, "the device failed", fix="check the disk")
        error.exit_code = 1
        raise error

    monkeypatch.setattr("medp2p.data.cohort.load_case", lambda case, config, names: failing(case.id))
    with pytest.raises(Medp2pError) as failed:
        check_cohort(masked(cohort))
    assert failed.value.exit_code == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see its memory")
def test_two_thousand_cases_are_indexed_at_once_and_read_with_the_memory_of_four(cohort, tmp_path):
    for number in range(2000):
        (tmp_path / "many" / f"S{number:04}").mkdir(parents=True)
        for file in (cohort / NAMES[number % 4]).iterdir():
            (tmp_path / "many" / f"S{number:04}" / file.name).symlink_to(file)
    everybody = {"split": {"validation": 0, "test": 0}}

    def anonymous_mb():
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))

    def epoch_of(folder):
        """Seconds of the processor until the first batch, and memory when a hundred were read."""
        began = time.process_time()
        config = config_of(folder, data={**MASKS, **everybody}, regions=REGIONS)
        entries = prepare_cohort(config, store=tmp_path / "store").entries()
        loader = SliceLoader(entries, sources=1, size=SHAPE[:2], batch_size=4, seed=0)
        indexed = time.process_time() - began
        for _ in zip(range(100), loader.batches(0), strict=False):
            pass
        return len(entries), indexed, anonymous_mb()

    _, _, little = epoch_of(cohort)
    count, indexed, much = epoch_of(tmp_path / "many")
    assert count == 2000
    assert indexed < 10
    assert much - little < 40
