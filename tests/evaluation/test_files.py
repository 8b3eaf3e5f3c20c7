import csv
import json

import numpy as np
import pytest

from medp2p.errors import ConfigError, FileError, OutputExistsError, RegionError
from medp2p.evaluation import METRICS, evaluate_files, read_scores
from medp2p.evaluation.unfinished import FOLDER
from medp2p.io import read_volume, write_volume
from medp2p.volume import Volume
from tests.io import dicom_phantom

from .test_case import AFFINE, head

WRITTEN = ["report.html", "scores.csv", "scores.json", "summary.csv"]


def save(path, voxels, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(np.asarray(voxels), affine), path)


@pytest.fixture
def pairs(tmp_path):
    """Two cases, the second exact and without a lesion."""
    for case, error, lesion in (("first", 10, 3), ("second.v2", 0, 0)):
        predicted, reference, regions, body = head(error, lesion)
        save(tmp_path / "p" / f"{case}.nii.gz", predicted.voxels)
        save(tmp_path / "r" / f"{case}.mha", reference.voxels)
        save(tmp_path / "m" / f"{case}.nrrd", regions.labels)
        save(tmp_path / "b" / f"{case}.nii", body)
    (tmp_path / "names.yaml").write_text("1: brain\n2: bone\n3: lesion\n")
    return tmp_path


def run(pairs, output="out", **options):
    words = {"body": pairs / "b", "regions": [pairs / "m"], "names": pairs / "names.yaml"} | options
    return evaluate_files(pairs / "p", pairs / "r", output=pairs / output, **words)


def rows(folder, name="scores.csv"):
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_folders_match_by_name_whatever_the_format(pairs):
    done = run(pairs)
    assert not done.faults
    assert done.scores.cases == ("first", "second.v2")
    assert sorted(path.name for path in (pairs / "out").iterdir()) == WRITTEN
    found = {(r["case"], r["region"], r["metric"]): r["value"] for r in rows(pairs / "out")}
    assert found["first", "lesion", "mae"] == "10.0"
    assert found["second.v2", "body", "psnr"] == "inf"
    assert found["second.v2", "lesion", "mae"] == ""
    assert len(found) == len(rows(pairs / "out"))


def test_summary_is_over_patients(pairs):
    run(pairs)
    found = {(r["region"], r["metric"]): r for r in rows(pairs / "out", "summary.csv")}
    assert [found["brain", "mae"][name] for name in ("cases", "mean", "min", "max")] == ["2", "5.0", "0.0", "10.0"]
    assert found["lesion", "mae"]["cases"] == "1"
    assert (found["body", "psnr"]["mean"], found["body", "psnr"]["std"]) == ("inf", "")


def test_single_files_and_patterns_give_the_same_rows(pairs):
    single = evaluate_files(
        pairs / "p" / "first.nii.gz",
        pairs / "r" / "first.mha",
        [pairs / "m" / "first.nrrd"],
        pairs / "b" / "first.nii",
        names=pairs / "names.yaml",
        output=pairs / "single",
    )
    patterned = evaluate_files(
        f"{pairs}/p/{{case}}.nii.gz",
        f"{pairs}/r/{{case}}.mha",
        [f"{pairs}/m/{{case}}.nrrd"],
        f"{pairs}/b/{{case}}.nii",
        names=pairs / "names.yaml",
        output=pairs / "patterned",
    )
    assert patterned.scores.cases == ("first", "second.v2")
    assert list(single.scores) == [row for row in patterned.scores if row["case"] == "first"]


def test_case_folders_match_by_folder_and_by_the_predictions_name(pairs, tmp_path):
    for case in ("first", "second.v2"):
        for kind, name, ending in (
            ("p", "ct", ".nii.gz"),
            ("r", "ct", ".mha"),
            ("m", "regions", ".nrrd"),
            ("b", "body", ".nii"),
        ):
            source = pairs / kind / f"{case}{ending}"
            target = tmp_path / ("out_of_run" if kind == "p" else "cohort") / case / f"{name}{ending}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (tmp_path / "cohort" / "third").mkdir()
    save(tmp_path / "cohort" / "third" / "ct.nii", head()[1].voxels)
    done = evaluate_files(
        tmp_path / "out_of_run",
        tmp_path / "cohort",
        [tmp_path / "cohort"],
        tmp_path / "cohort",
        names=pairs / "names.yaml",
        output=tmp_path / "scored",
    )
    assert list(done.scores) == list(run(pairs).scores)
    assert ["third" in str(warning) for warning in done.warnings] == [True]


def test_several_predictions_in_a_case_folder_are_refused_with_the_pattern_to_write(tmp_path):
    for name in ("ct", "other"):
        save(tmp_path / "p" / "a" / f"{name}.nii", head()[0].voxels)
    (tmp_path / "r").mkdir()
    with pytest.raises(FileError, match=r"several images.*\{case\}/ct\.nii"):
        evaluate_files(tmp_path / "p", tmp_path / "r", output=tmp_path / "out")


def test_one_bad_case_is_reported_and_the_others_are_scored(pairs, caplog):
    (pairs / "p" / "bad.nii.gz").write_bytes(b"this is no image")
    save(pairs / "r" / "bad.nii", head()[1].voxels)
    save(pairs / "m" / "bad.nii", np.zeros((48, 48, 32), np.uint8))
    save(pairs / "b" / "bad.nii", head()[3])
    save(pairs / "p" / "moved.nii", head()[0].voxels, np.diag([2.0, 2.0, 4.0, 1.0]))
    save(pairs / "r" / "moved.nii", head()[1].voxels)
    save(pairs / "m" / "moved.nii", np.zeros((48, 48, 32), np.uint8))
    save(pairs / "b" / "moved.nii", head()[3])
    save(pairs / "p" / "alone.nii", head()[0].voxels)
    save(pairs / "r" / "unused.nii", head()[1].voxels)
    done = run(pairs)
    assert done.scores.cases == ("first", "second.v2")
    assert [fault.path.rsplit("/", 1)[1] for fault in done.faults] == ["alone.nii", "bad.nii.gz", "moved.nii"]
    assert "different grids" in str(done.faults[2])
    with pytest.raises(FileError, match="bad"):
        done.check()
    assert "unused.nii" in caplog.text
    assert len(json.loads((pairs / "out" / "scores.json").read_text())["refused"]) == 3
    assert not [path.name for path in (pairs / "out").iterdir() if str(pairs) in path.read_text()]
    assert "not scored" in (pairs / "out" / "report.html").read_text()


def test_where_every_case_is_refused_nothing_is_written(pairs):
    for path in (pairs / "p").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(FileError):
        run(pairs)
    assert not (pairs / "out").exists()


def test_a_folder_that_is_not_empty_is_refused_and_overwrite_touches_nothing_else(pairs):
    (pairs / "out").mkdir()
    (pairs / "out" / "other.txt").write_text("kept")
    with pytest.raises(OutputExistsError, match=r"not empty.*other\.txt"):
        run(pairs)
    assert [path.name for path in (pairs / "out").iterdir()] == ["other.txt"]
    run(pairs, overwrite=True)
    assert sorted(path.name for path in (pairs / "out").iterdir()) == sorted([*WRITTEN, "other.txt"])
    with pytest.raises(OutputExistsError):
        run(pairs)


def test_the_same_work_goes_on_where_it_stopped(pairs):
    seen = []

    def stop(done, total, what):
        seen.append((done, total, what))
        if done == 1 and len(seen) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pairs, progress=stop)
    kept = [path for path in (pairs / "out" / FOLDER).iterdir() if path.name != "work.json"]
    assert len(kept) == 1
    with pytest.raises(OutputExistsError):
        run(pairs, protocol="synthrad2023")
    stored = json.loads(kept[0].read_text())
    stored["rows"][0]["value"] = 12345.0
    kept[0].write_text(json.dumps(stored))
    done = run(pairs, progress=stop)
    assert done.scores.value("first", "volume", "mae") == 12345.0
    assert seen[1:] == [(1, 2, "first"), (2, 2, "second.v2")]
    assert not (pairs / "out" / FOLDER).exists()


def test_what_was_kept_of_other_contents_or_is_damaged_is_scored_again(pairs):
    def stop(done, total, what):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pairs, progress=stop)
    first, second = sorted(p for p in (pairs / "out" / FOLDER).iterdir() if p.name != "work.json")
    first.write_text("{")
    stored = json.loads(second.read_text())
    second.write_text(json.dumps(stored | {"key": "of another scan", "rows": []}))
    assert list(run(pairs).scores) == list(run(pairs, "fresh").scores)


def test_several_workers_give_the_same_scores(pairs):
    pytest.importorskip("distributed", reason="the extra `cluster` shares cases out")
    one, two = run(pairs), run(pairs, "parallel", workers=2)
    assert list(one.scores) == list(two.scores)


def test_parts_of_the_cases_share_a_folder_and_the_last_one_writes(pairs):
    first = run(pairs, "shared", shard_of="1/2")
    assert first.scores.cases == ("first",)
    assert [path.name for path in (pairs / "shared").iterdir()] == [FOLDER]
    second = run(pairs, "shared", shard_of="2/2")
    assert sorted(path.name for path in (pairs / "shared").iterdir()) == WRITTEN
    assert list(second.scores) == list(run(pairs).scores)


def test_references_partly_in_hu_are_refused_by_auto_and_each_scored_by_name(pairs):
    _, reference, _, _ = head()
    (pairs / "r" / "first.mha").unlink()
    save(pairs / "r" / "first.nii", reference.voxels + np.int16(1000))
    with pytest.raises(ConfigError, match="1 of 2"):
        run(pairs)
    assert not (pairs / "out").exists()
    done = run(pairs, protocol="synthrad2025")
    assert done.scores.cases == ("second.v2",)
    assert "first.nii" in str(done.faults[0])
    assert "0.5th percentile 0" in str(done.faults[0])


def test_labels_without_a_name_are_refused_by_their_file(pairs):
    (pairs / "names.yaml").write_text("1: brain\n3: lesion\n")
    with pytest.raises(FileError, match=r"first\.nrrd.*label 2 has no name"):
        run(pairs)


def test_without_names_labels_are_called_by_their_numbers(pairs):
    done = run(pairs, names=None)
    assert done.scores.regions == ("volume", "body", "1", "2", "3", "weighted", "outside")


def test_masks_of_their_own_files_are_called_by_them(pairs, tmp_path):
    _, _, regions, _ = head()
    for name, label in (("brain", 1), ("lesion", 3)):
        save(tmp_path / "segmentations" / f"{name}.nii.gz", (regions.labels == label).astype(np.uint8))
    one = (pairs / "p" / "first.nii.gz", pairs / "r" / "first.mha")
    folder = evaluate_files(*one, [tmp_path / "segmentations"], pairs / "b" / "first.nii", output=tmp_path / "one")
    files = evaluate_files(
        *one,
        [tmp_path / "segmentations" / f"{name}.nii.gz" for name in ("brain", "lesion")],
        pairs / "b" / "first.nii",
        output=tmp_path / "two",
    )
    assert folder.scores.regions == ("volume", "body", "brain", "lesion", "weighted", "outside")
    assert list(folder.scores) == list(files.scores)
    assert {row["label"] for row in folder.scores} == {None}


def test_a_mask_beside_a_named_map_is_called_by_its_file_and_not_by_the_maps_first_name(pairs, tmp_path):
    _, _, regions, _ = head()
    save(tmp_path / "hot.nii.gz", (regions.labels == 3).astype(np.uint8))
    done = evaluate_files(
        pairs / "p" / "first.nii.gz",
        pairs / "r" / "first.mha",
        [pairs / "m" / "first.nrrd", tmp_path / "hot.nii.gz"],
        pairs / "b" / "first.nii",
        names={1: "brain", 2: "bone", 3: "lesion"},
        output=tmp_path / "out",
    )
    mae = {row["region"]: row["voxels"] for row in done.scores if row["metric"] == "mae"}
    assert mae["hot"] == mae["lesion"] != mae["brain"]


def test_a_mask_with_the_name_of_a_row_of_every_table_is_refused_by_its_own_file(pairs, tmp_path):
    one = (pairs / "p" / "first.nii.gz", pairs / "r" / "first.mha")
    save(tmp_path / "body.nii.gz", head()[3])
    with pytest.raises(FileError, match=r"body\.nii\.gz: .*a region cannot be called body.*given as the body"):
        evaluate_files(*one, [pairs / "m" / "first.nrrd", tmp_path / "body.nii.gz"], output=tmp_path / "out")


def test_a_scan_in_the_place_of_the_body_is_refused(pairs, tmp_path):
    noise = np.random.default_rng(0).integers(0, 2000, (48, 48, 32)).astype(np.int16)
    save(tmp_path / "mr.nii.gz", noise)
    one = (pairs / "p" / "first.nii.gz", pairs / "r" / "first.mha")
    with pytest.raises(FileError, match=r"mr\.nii\.gz: .*this is a scan, no mask"):
        evaluate_files(*one, body=tmp_path / "mr.nii.gz", output=tmp_path / "out")


def test_masks_whose_files_have_one_name_are_called_by_their_folders_too(pairs, tmp_path):
    _, _, regions, _ = head()
    for name, label in (("brain", 1), ("lesion", 3)):
        save(tmp_path / name / "mask.nii.gz", (regions.labels == label).astype(np.uint8))
    one = (pairs / "p" / "first.nii.gz", pairs / "r" / "first.mha")
    masks = [tmp_path / name / "mask.nii.gz" for name in ("brain", "lesion")]
    done = evaluate_files(*one, masks, pairs / "b" / "first.nii", output=tmp_path / "out")
    found = {row["region"]: row["voxels"] for row in done.scores if row["metric"] == "mae"}
    assert (found["brain mask"], found["lesion mask"]) == (1000, 8)
    with pytest.raises(FileError, match=r"a second one of this name.*mask\.nii\.gz and"):
        evaluate_files(*one, [path.parent for path in masks], pairs / "b" / "first.nii", output=tmp_path / "two")


def test_a_number_in_two_maps_without_names_is_two_regions(pairs, tmp_path):
    _, _, regions, _ = head()
    save(tmp_path / "organs.nii.gz", np.where(regions.labels == 3, 0, regions.labels))
    save(tmp_path / "parts.nii.gz", np.where(regions.labels == 3, 2, 0) + np.where(regions.labels == 2, 7, 0))
    maps = [tmp_path / "organs.nii.gz", tmp_path / "parts.nii.gz"]
    one = (pairs / "p" / "first.nii.gz", pairs / "r" / "first.mha")
    done = evaluate_files(*one, maps, pairs / "b" / "first.nii", output=tmp_path / "out")
    found = {row["region"]: row["voxels"] for row in done.scores if row["metric"] == "mae"}
    assert [found[name] for name in ("1", "organs 2", "parts 2", "7")] == [1000, 1000, 8, 1000]


def test_a_prediction_that_is_the_reference_itself_is_asked_about(pairs, caplog):
    evaluate_files(pairs / "p", pairs / "p", output=pairs / "out")
    assert "second.v2.nii.gz: this prediction is the reference itself" in caplog.text
    caplog.clear()
    run(pairs, "other")
    assert "reference itself" not in caplog.text


def test_a_prediction_without_air_is_asked_about_under_a_protocol_for_hu(pairs, caplog):
    (pairs / "p" / "first.nii.gz").unlink()
    save(pairs / "p" / "first.nii", head()[0].voxels + np.int16(1024))
    assert not run(pairs).faults
    assert "first.nii: no air in this prediction" in caplog.text
    assert "second" not in caplog.text


def test_a_mask_that_is_turned_inside_out_is_asked_about(pairs, caplog):
    body = head()[1].voxels > -500
    for name, mask in (("right", body), ("wrong", ~body)):
        for case in ("first", "second.v2"):
            (pairs / name).mkdir(exist_ok=True)
            save(pairs / name / f"{case}.nii.gz", mask.astype(np.uint8))
        caplog.clear()
        evaluate_files(pairs / "p", pairs / "r", body=pairs / name, output=pairs / f"out_{name}")
        assert ("first.nii.gz: this mask hardly overlaps the body" in caplog.text) == (name == "wrong")


def test_references_of_two_kinds_are_refused_by_name(pairs):
    (pairs / "r" / "first.mha").unlink()
    save(pairs / "r" / "first.mha", head()[1].voxels + np.int16(1024))
    with pytest.raises(ConfigError, match=r"some references are in HU.*below -500: second\.v2"):
        run(pairs)


def test_one_file_for_several_cases_is_refused(pairs):
    with pytest.raises(FileError, match="one file for several cases"):
        run(pairs, body=pairs / "b" / "first.nii")


def test_two_files_of_one_name_are_refused_and_the_others_scored(pairs):
    save(pairs / "p" / "first.nii", head()[0].voxels)
    done = run(pairs)
    assert done.scores.cases == ("second.v2",)
    assert "two files of one name" in str(done.faults[0])


def test_missing_and_empty_arguments_say_what_is_missing(pairs, tmp_path):
    (tmp_path / "empty").mkdir()
    for predicted, reference in (
        (tmp_path / "no", pairs / "r"),
        (pairs / "p", tmp_path / "no"),
        (tmp_path / "empty", pairs / "r"),
    ):
        with pytest.raises(FileError, match=r"no such file or folder|no image here"):
            evaluate_files(predicted, reference, output=tmp_path / "out")
    with pytest.raises(FileError, match="no file fits the pattern"):
        evaluate_files(f"{tmp_path}/{{case}}.nii", pairs / "r", output=tmp_path / "out")


def test_fractions_in_a_mask_are_refused_by_file(pairs):
    (pairs / "b" / "first.nii").unlink()
    save(pairs / "b" / "first.nii", np.full((48, 48, 32), 0.37, np.float32))
    done = run(pairs)
    assert done.scores.cases == ("second.v2",)
    assert "first.nii" in str(done.faults[0])
    assert "0.37" in str(done.faults[0])


def test_an_unknown_weighted_region_is_refused(pairs):
    with pytest.raises((FileError, RegionError), match="no region is called lessions"):
        run(pairs, weighted=["lessions"])


def test_hostile_names_do_no_harm(pairs, tmp_path):
    names = {1: "<script>alert(1)</script>", 2: "=HYPERLINK(1)", 3: "@x"}
    done = run(pairs, names=names)
    csv_file, html = (tmp_path / "out" / "scores.csv").read_text(), (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in html
    assert not {"=", "@"} & {cell[:1] for line in csv_file.splitlines() for cell in line.split(",")}
    assert read_scores(tmp_path / "out").regions == done.scores.regions
    assert {(r["region"], r["metric"]) for r in done.scores} >= {(names[3], m) for m in METRICS}


@pytest.mark.parametrize("sides", [("p", "r"), ("p", "r.nii.gz"), ("p.nii.gz", "r")])
def test_a_folder_with_a_series_is_one_scan_on_either_side(tmp_path, sides):
    values = dicom_phantom.voxels((16, 14, 12))
    for side, shift in (("p", 4), ("r", 0)):
        series = dicom_phantom.write(tmp_path / side, values=values + shift)
        for path in [*series.iterdir()]:
            path.rename(path.with_suffix(".dcm"))
        write_volume(read_volume(series), tmp_path / f"{side}.nii.gz")
    done = evaluate_files(tmp_path / sides[0], tmp_path / sides[1], output=tmp_path / "out")
    assert done.scores.cases == ("p",)
    found = {(row["region"], row["metric"]): row for row in rows(tmp_path / "out")}
    assert (found["volume", "mae"]["value"], found["volume", "mae"]["voxels"]) == ("4.0", str(values.size))
