"""Files and folders through a Translator: what is finished is kept, what is bad stops no other."""

import contextlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from medp2p.errors import ConfigError, FileError, GeometryError, Medp2pError, ModelError, OutputExistsError
from medp2p.io import read_volume, write_volume
from medp2p.io.temporary import sweep_own
from medp2p.many.shard import shard
from medp2p.translation import Translator, translate
from medp2p.translation.job import Job
from medp2p.translation.one_scan import translate_job
from medp2p.volume import Volume
from tests.faults import before_each_change, failing, moments, temporary_files
from tests.translation.conftest import CT, MR, description, save

AFFINE = np.diag([2.0, 2.0, 4.0, 1.0])


def put(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.random.default_rng(seed).integers(0, 900, (12, 14, 3)).astype(np.int16)
    write_volume(Volume(voxels, AFFINE), path)
    return path


@pytest.fixture
def two_sources(tmp_path: Path) -> Path:
    (tmp_path / "two").mkdir()
    said = description(
        sources=("t1", "t2"),
        files={"t1": "t1.nii.gz", "t2": "{case}_t2.*", "ct": "ct.nii.gz"},
        intensity={"t1": MR, "t2": MR, "ct": CT},
    )
    return save(tmp_path / "two", said)


def statement(path: Path) -> dict:
    return json.loads(path.read_text())


def test_a_file_becomes_a_file_with_a_json_that_says_what_made_it(model, tmp_path) -> None:
    given, output = put(tmp_path / "in.nii.gz"), tmp_path / "out.mha"
    done = translate(model, given, output, device="cpu")
    assert done.made == (output,)
    said = statement(tmp_path / "out.json")
    translator = Translator.load(model, device="cpu")
    assert (said["sha256"], said["description_sha256"]) == (translator.sha256, translator.description_sha256)
    assert said["input_sha256"] == {"mr": read_volume(given).content_sha256()}
    assert said["synthetic"] is True
    assert "esearch use only" in said["note"]
    assert str(tmp_path) not in (tmp_path / "out.json").read_text()
    np.testing.assert_array_equal(read_volume(output).voxels, translator(read_volume(given)).voxels)


def test_a_finished_output_is_kept_and_another_is_refused(model, tmp_path) -> None:
    given, output = put(tmp_path / "in.nii.gz"), tmp_path / "out.nii.gz"
    translate(model, given, output, device="cpu")
    before = output.read_bytes()
    assert translate(model, given, output, device="cpu").kept == (output,)
    with pytest.raises(OutputExistsError, match="not made by this model from this input"):
        translate(model, put(tmp_path / "other.nii.gz", seed=1), output, device="cpu")
    with pytest.raises(OutputExistsError):
        translate(model, given, output, device="cpu", precision="bf16")
    assert output.read_bytes() == before
    translate(model, tmp_path / "other.nii.gz", output, device="cpu", overwrite=True)
    assert output.read_bytes() != before


def test_an_output_that_was_changed_is_not_taken_for_finished(model, tmp_path) -> None:
    given, output = put(tmp_path / "in.nii.gz"), tmp_path / "out.nii.gz"
    translate(model, given, output, device="cpu")
    write_volume(read_volume(given), output, overwrite=True)
    with pytest.raises(OutputExistsError):
        translate(model, given, output, device="cpu")


def test_a_json_alone_counts_as_nothing_but_anothers_is_not_written_over(model, tmp_path) -> None:
    given, output = put(tmp_path / "in.nii.gz"), tmp_path / "out.nii.gz"
    translate(model, given, output, device="cpu")
    output.unlink()
    assert translate(model, given, output, device="cpu").made == (output,)
    (tmp_path / "new.json").write_text('{"RepetitionTime": 2}')
    with pytest.raises(OutputExistsError, match="did not write"):
        translate(model, given, tmp_path / "new.nii.gz", device="cpu")
    assert not (tmp_path / "new.nii.gz").exists()


def test_a_json_that_speaks_of_another_image_of_that_name_is_not_written_over(model: Path, tmp_path: Path) -> None:
    for seed, name in enumerate("ab"):
        put(tmp_path / f"{name}.nii.gz", seed)
    translate(model, tmp_path / "a.nii.gz", tmp_path / "ct.nii.gz", device="cpu")
    translate(model, tmp_path / "a.nii.gz", tmp_path / "ct.mha", device="cpu")  # the same work: it speaks of both
    before = (tmp_path / "ct.json").read_bytes()
    with pytest.raises(OutputExistsError, match=r"ct\.nrrd: .*another image of this name \(found ct\.mha"):
        translate(model, tmp_path / "b.nii.gz", tmp_path / "ct.nrrd", device="cpu")
    assert (tmp_path / "ct.json").read_bytes() == before


def test_in_a_folder_what_is_bad_stops_no_other(model, tmp_path) -> None:
    for name in ("a.nii.gz", "c.nii"):
        put(tmp_path / "in" / name)
    (tmp_path / "in" / "b.nii.gz").write_bytes(b"this is no image")
    with pytest.raises(FileError, match=r"b\.nii\.gz"):
        translate(model, tmp_path / "in", tmp_path / "out", device="cpu")
    made = ["LIMITS.md", "a.json", "a.nii.gz", "c.json", "c.nii"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == made
    (tmp_path / "in" / "b.nii.gz").unlink()
    put(tmp_path / "in" / "d.nii.gz")
    done = translate(model, tmp_path / "in", tmp_path / "out", device="cpu")
    assert [path.name for path in done.made] == ["d.nii.gz"]
    assert [path.name for path in done.kept] == ["a.nii.gz", "c.nii"]


def test_two_files_of_one_name_are_refused_and_the_others_go_on(model, tmp_path) -> None:
    for name in ("a.nii.gz", "a.mha", "b.nii.gz"):
        put(tmp_path / "in" / name)
    with pytest.raises(FileError, match=r"a\.mha and a\.nii\.gz"):
        translate(model, tmp_path / "in", tmp_path / "out", device="cpu")
    assert (tmp_path / "out" / "b.nii.gz").exists()


def test_a_case_folder_and_named_channels_give_one_prediction(two_sources, tmp_path) -> None:
    t1, t2 = put(tmp_path / "S.1" / "t1.nii.gz", 1), put(tmp_path / "S.1" / "S.1_t2.nrrd", 2)
    translate(two_sources, tmp_path / "S.1", tmp_path / "case.nii.gz", device="cpu")
    translate(two_sources, {"t2": t2, "t1": t1}, tmp_path / "named.nii.gz", device="cpu")
    translate(two_sources, tmp_path / "S.1", tmp_path / "new" / "folder", device="cpu")
    one, other, third = (read_volume(tmp_path / f"{name}.nii.gz").voxels for name in ("case", "named", "new/folder/ct"))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, third)


def test_a_cohort_becomes_a_folder_per_case(two_sources, tmp_path) -> None:
    for number, case in enumerate(("S1", "S2")):
        put(tmp_path / "in" / case / "t1.nii.gz", number)
        put(tmp_path / "in" / case / f"{case}_t2.nii.gz", number + 5)
    put(tmp_path / "in" / "S3" / "t1.nii.gz")
    (tmp_path / "in" / "notes").mkdir()
    with pytest.raises(FileError, match=r"S3: no file for channel t2"):
        translate(two_sources, tmp_path / "in", tmp_path / "out", device="cpu")
    made = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.nii.gz"))
    assert made == ["S1/ct.nii.gz", "S2/ct.nii.gz"]


@pytest.mark.parametrize("given", ["one.nii.gz", "images"])
def test_files_without_channels_are_refused_for_several_sources(two_sources, tmp_path, given: str) -> None:
    put(tmp_path / "one.nii.gz")
    put(tmp_path / "images" / "a.nii.gz")
    with pytest.raises(ConfigError, match=r"-i t1=FILE -i t2=FILE"):
        translate(two_sources, tmp_path / given, tmp_path / "out", device="cpu")


def test_channels_that_are_not_the_models_are_refused(two_sources, tmp_path) -> None:
    with pytest.raises(ConfigError, match="expected t1, t2"):
        translate(two_sources, {"t1": put(tmp_path / "t1.nii.gz")}, tmp_path / "out.nii.gz", device="cpu")


@pytest.mark.parametrize("output", ["out.hdr", "out.png", "out"])
def test_an_output_that_is_no_image_is_refused_before_the_work(model, tmp_path, output: str) -> None:
    with pytest.raises(ConfigError, match=r"\.nii\.gz"):
        translate(model, put(tmp_path / "in.nii.gz"), tmp_path / output, device="cpu")


def test_a_sheared_grid_is_refused_before_the_work_where_the_format_cannot_hold_it(
    model, tmp_path, monkeypatch
) -> None:
    sheared = AFFINE.copy()
    sheared[0, 1] += 0.5
    write_volume(Volume(np.arange(504, dtype=np.int16).reshape(12, 14, 3), sheared), tmp_path / "a.nii.gz")
    monkeypatch.setattr(Translator, "translate_all", lambda *_, **__: pytest.fail("the work has begun"))
    with pytest.raises(GeometryError, match=r"ct\.mha: the grid is sheared.*write \.nii\.gz"):
        translate(model, tmp_path / "a.nii.gz", tmp_path / "ct.mha", device="cpu")


@pytest.mark.parametrize("place", ["/proc/x.nii.gz", "missing/out.nii.gz"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(model, tmp_path, place: str) -> None:
    told = []
    with pytest.raises(Medp2pError):
        translate(
            model, put(tmp_path / "in.nii.gz"), tmp_path / place, device="cpu", progress=lambda *a: told.append(a)
        )
    assert told == []


def test_what_is_missing_is_refused_by_its_path(model, tmp_path) -> None:
    with pytest.raises(FileError, match="nowhere"):
        translate(model, tmp_path / "nowhere.nii.gz", tmp_path / "out.nii.gz", device="cpu")
    with pytest.raises(ModelError, match="no_run"):
        translate(tmp_path / "no_run", put(tmp_path / "in.nii.gz"), tmp_path / "out.nii.gz", device="cpu")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="nothing to translate"):
        translate(model, tmp_path / "empty", tmp_path / "out", device="cpu")


def test_a_failed_write_leaves_neither_image_nor_json(model, tmp_path, monkeypatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise FileError("out.nii.gz", "no space left", fix="make space")

    monkeypatch.setattr("medp2p.translation.one_scan.write_volume", fail)
    with pytest.raises(FileError, match="no space"):
        translate(model, put(tmp_path / "in.nii.gz"), tmp_path / "out.nii.gz", device="cpu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generator.safetensors", "in.nii.gz"]


def test_a_failed_write_leaves_an_older_output_as_it_was(model, tmp_path) -> None:
    given, output = put(tmp_path / "in" / "a.nii.gz"), tmp_path / "out" / "a.nii.gz"
    (tmp_path / "out").mkdir()
    translate(model, given, output, device="cpu")
    before = {path.name: path.read_bytes() for path in output.parent.iterdir()}
    other = put(tmp_path / "in" / "b.nii.gz", seed=1)
    with failing(output.parent, [6]), pytest.raises(FileError, match="no space"):
        translate(model, other, output, device="cpu", overwrite=True)
    assert {path.name: path.read_bytes() for path in output.parent.iterdir()} == before


class Signal(BaseException):
    """Like a signal's exception, which may come between any two steps."""


@pytest.mark.parametrize("extension", [".nii.gz", ".mhd"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_signal_or_a_kill_at_any_change_leaves_a_folder_that_goes_on(model, tmp_path, extension, overwrite) -> None:
    given = put(tmp_path / "in" / f"a{extension}")
    translator, good = Translator.load(model, device="cpu"), tmp_path / "good"
    job = {"overwrite": overwrite, "series": None, "keep_identity": False, "make_folder": True, "progress": None}

    def work(folder: Path, **changed: object) -> None:
        translate_job(translator, Job("a", {"mr": given}, {"ct": folder / f"a{extension}"}), **job | changed)

    def contents(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    with moments(good, tmp_path / "killed") as seen:
        work(good)
    for number in range(1, len(seen) + 1):
        folder = tmp_path / f"signal_{number}"

        def strike(count: int, what: str, number: int = number) -> None:
            if count == number:
                raise Signal

        with before_each_change(folder, strike), contextlib.suppress(Signal):
            work(folder)
        sweep_own()
        assert temporary_files(folder) == []
        for left in (folder, tmp_path / "killed" / str(number)):
            work(left, overwrite=False)
            assert contents(left) == contents(good)


def test_inputs_are_never_changed(model, tmp_path) -> None:
    given = put(tmp_path / "in" / "a.nii.gz")
    before = given.read_bytes()
    with pytest.raises(FileError):
        translate(model, tmp_path / "in", tmp_path / "in", device="cpu")
    assert given.read_bytes() == before
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.nii.gz"]


def test_no_input_is_written_over_even_where_that_was_asked_for(model, tmp_path) -> None:
    scan = put(tmp_path / "scans" / "a.nii.gz")
    before = scan.read_bytes()
    (tmp_path / "link.nii.gz").symlink_to(scan)
    for given, output in ((scan, scan), (scan, tmp_path / "link.nii.gz"), (scan.parent, scan.parent)):
        with pytest.raises(FileError, match="the output is the input"):
            translate(model, given, output, overwrite=True)
    assert scan.read_bytes() == before


def test_a_cohort_translated_into_itself_loses_no_acquired_scan(model, tmp_path) -> None:
    cohort = tmp_path / "cohort"
    put(cohort / "p1" / "mr.nii.gz")
    translate(model, cohort, cohort)
    translate(model, cohort, cohort, overwrite=True)  # what a translation made may be made again
    put(cohort / "p2" / "mr.nii.gz")
    before = put(cohort / "p2" / "ct.nii.gz", seed=1).read_bytes()
    with pytest.raises(FileError, match="a scan of the input has this name"):
        translate(model, cohort, cohort, overwrite=True)
    assert (cohort / "p2" / "ct.nii.gz").read_bytes() == before


def test_a_case_is_known_by_its_file_names_with_any_extension_as_in_training(two_sources, tmp_path: Path) -> None:
    put(tmp_path / "in/S1/t1.nii.gz"), put(tmp_path / "in/S1/S1_t2.NII")
    put(tmp_path / "in/S2/t1.mha"), put(tmp_path / "in/S2/S2_t2.nrrd")
    made = translate(two_sources, tmp_path / "in", tmp_path / "out", device="cpu").made
    assert made == (tmp_path / "out/S1/ct.nii.gz", tmp_path / "out/S2/ct.nii.gz")


def test_images_beside_the_folders_of_cases_are_passed_over_aloud(model, tmp_path, caplog) -> None:
    put(tmp_path / "in" / "p1" / "mr.nii.gz")
    put(tmp_path / "in" / "loose.nii.gz")
    translate(model, tmp_path / "in", tmp_path / "out")
    assert "loose.nii.gz" in caplog.text


def test_a_scan_of_another_kind_is_told_aloud(model, tmp_path, caplog) -> None:
    scan = read_volume(put(tmp_path / "mr.nii.gz"))
    ct = Volume(scan.voxels.astype(np.float32) - 2000, scan.affine)
    write_volume(ct, tmp_path / "ct.nii.gz")
    translate(model, tmp_path / "mr.nii.gz", tmp_path / "a.nii.gz")
    assert "without units" not in caplog.text
    translate(model, tmp_path / "ct.nii.gz", tmp_path / "b.nii.gz")
    assert "without units" in caplog.text


def test_a_training_that_is_not_finished_is_told_aloud(model, tmp_path, caplog) -> None:
    given, run = put(tmp_path / "in.nii.gz"), tmp_path / "run"
    run.mkdir()
    shutil.copy(model, run / "generator.safetensors")
    (run / "last.pt").touch()
    translate(run, given, tmp_path / "early.nii.gz")
    assert "training is not finished" in caplog.text
    caplog.clear()
    (run / "model_card.md").touch()
    translate(run, given, tmp_path / "late.nii.gz")
    assert caplog.text == ""


def test_shards_share_out_every_case_once() -> None:
    jobs = tuple(Job(str(number), {}, {}) for number in range(7))
    parts = [shard(jobs, f"{part}/3") for part in (1, 2, 3)]
    assert sorted(job.name for part in parts for job in part) == [job.name for job in jobs]
    for wrong in ("0/3", "4/3", "x", "1/0"):
        with pytest.raises(ConfigError, match="--shard"):
            shard(jobs, wrong)


def test_the_model_file_alone_translates_elsewhere(model, tmp_path) -> None:
    given = put(tmp_path / "in.nii.gz")
    (tmp_path / "else").mkdir()
    copy = shutil.copy(model, tmp_path / "else" / "renamed.safetensors")
    translate(model, given, tmp_path / "one.nii.gz", device="cpu")
    translate(copy, given, tmp_path / "two.nii.gz", device="cpu")
    one, two = (read_volume(tmp_path / f"{name}.nii.gz").voxels for name in ("one", "two"))
    np.testing.assert_array_equal(one, two)
