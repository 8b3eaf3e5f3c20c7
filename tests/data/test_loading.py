import numpy as np
import pytest

import medp2p.io.volumes
from medp2p.data.cases import Case
from medp2p.data.loading import load_case
from medp2p.errors import FileError, Medp2pError
from medp2p.io.machine import memory_error

from .configs import config_of
from .scans_on_disk import AFFINE, SHAPE, head, labels_of, write_case

CONFIG = config_of(
    "/scans",
    data={"files": {"regions": ["regions.nii.gz", "lesions.nii.gz"]}},
    regions={"names": {1: "brain", 2: "bone"}},
)


def case_in(folder, *, regions=(), body=None):
    files = {name: folder / f"{name}.nii.gz" for name in ("mr", "ct")}
    masks = tuple(folder / f"{name}.nii.gz" for name in regions)
    return Case("S01", "S01", "train", files, masks, body and folder / f"{body}.nii.gz")


def test_a_case_holds_what_its_files_hold(tmp_path):
    scans = head()
    write_case(tmp_path, **scans, regions=labels_of(scans["ct"]), body=(scans["ct"] > -500).astype(np.uint8) * 255)
    loaded = load_case(case_in(tmp_path, regions=["regions"], body="body"), CONFIG)
    assert np.array_equal(loaded.volumes["mr"].voxels, scans["mr"])
    assert np.array_equal(loaded.regions.mask("bone"), scans["ct"] > 300)
    assert np.array_equal(loaded.body, scans["ct"] > -500)
    assert set(loaded.hashes) == {"mr", "ct", "regions", "body"}


def test_a_machine_that_fails_is_no_fault_of_a_file(tmp_path, monkeypatch):
    def without_memory(path):
        raise memory_error(path)

    write_case(tmp_path, **head())
    monkeypatch.setattr("medp2p.data.loading.read_volume", without_memory)
    with pytest.raises(FileError, match="not enough memory") as failed:
        load_case(case_in(tmp_path), CONFIG)
    assert failed.value.exit_code == 1


def test_hashes_tell_what_is_in_a_file_and_not_how_it_is_called_or_stored(tmp_path):
    scans = head()
    write_case(tmp_path / "a", **scans)
    write_case(tmp_path / "b", **scans)
    write_case(tmp_path / "c", **(scans | {"mr": scans["mr"] + 1}))
    one, same, other = (load_case(case_in(tmp_path / name), CONFIG).hashes for name in "abc")
    assert one == same
    assert (one["mr"] != other["mr"], one["ct"] == other["ct"]) == (True, True)


def test_each_file_is_read_once(tmp_path, monkeypatch):
    scans = head()
    write_case(tmp_path, **scans, regions=labels_of(scans["ct"]), body=(scans["ct"] > -500).astype(np.uint8))
    read, original = [], medp2p.io.volumes.read_nifti
    monkeypatch.setattr(medp2p.io.volumes, "read_nifti", lambda path: read.append(path.name) or original(path))
    load_case(case_in(tmp_path, regions=["regions"], body="body"), CONFIG)
    assert sorted(read) == ["body.nii.gz", "ct.nii.gz", "mr.nii.gz", "regions.nii.gz"]


def test_a_further_map_with_one_label_is_a_mask_called_by_its_file_without_the_case(tmp_path):
    scans = head()
    lesion = (scans["ct"] > 900).astype(np.uint8)
    write_case(tmp_path, **scans, regions=labels_of(scans["ct"]), S01_lesions=lesion, empty=lesion * 0)
    loaded = load_case(case_in(tmp_path, regions=["regions", "S01_lesions", "empty"]), CONFIG)
    assert loaded.regions.region_names == ("brain", "bone", "lesions", "empty")
    assert np.array_equal(loaded.regions.mask("lesions"), lesion > 0)
    assert not loaded.regions.mask("empty").any()
    assert (loaded.regions.mask("lesions") & loaded.regions.mask("bone")).any()


@pytest.mark.parametrize("names", [{1: "brain", 2: "bone"}, None])
def test_a_mask_that_would_be_called_as_a_row_of_every_table_is_refused_by_its_file(tmp_path, names):
    scans = head()
    write_case(tmp_path, **scans, regions=labels_of(scans["ct"]), S01_body=(scans["ct"] > -500).astype(np.uint8))
    config = config_of("/scans", regions={"names": names})
    with pytest.raises(Medp2pError, match=r"S01_body\.nii\.gz: a region cannot be called body.*given as the body"):
        load_case(case_in(tmp_path, regions=["regions", "S01_body"]), config)


def test_a_scan_in_the_place_of_the_body_is_refused(tmp_path):
    scans = head()
    scans["mr"] = np.random.default_rng(0).integers(1, 3000, SHAPE).astype(np.int16)
    write_case(tmp_path, **scans)
    with pytest.raises(Medp2pError, match=r"mr\.nii\.gz: .*this is a scan, no mask"):
        load_case(case_in(tmp_path, body="mr"), CONFIG)


def test_of_several_maps_without_names_those_with_one_label_are_masks(tmp_path):
    scans = head()
    inside = (scans["ct"] > -500).astype(np.uint8)
    write_case(tmp_path, **scans, head=inside * 7, tissues=labels_of(scans["ct"]))
    loaded = load_case(case_in(tmp_path, regions=["head", "tissues"]), config_of("/scans"))
    assert loaded.regions.region_names == ("head", "1", "2")


def test_a_further_map_with_several_labels_has_the_names_too(tmp_path):
    scans = head()
    write_case(
        tmp_path,
        **scans,
        regions=labels_of(scans["ct"]),
        more=labels_of(scans["ct"])[::-1],
        odd=np.full(SHAPE, 9, np.uint8),
    )
    loaded = load_case(case_in(tmp_path, regions=["regions", "more"]), CONFIG)
    assert loaded.regions.region_names == ("brain", "bone")
    assert len(loaded.regions.layers) == 2
    with pytest.raises(Medp2pError, match=r"odd\.nii\.gz: label 9 has no name"):
        load_case(case_in(tmp_path, regions=["regions", "odd"]), CONFIG)


def test_masks_on_a_part_of_the_scans_lattice_are_placed_into_it(tmp_path):
    scans = head()
    part = AFFINE.copy()
    part[:3, 3] += 8.0 * np.array([2, 3, 1])
    labels, body = labels_of(scans["ct"]), (scans["ct"] > -500).astype(np.uint8)
    cut = (slice(2, 20), slice(3, 25), slice(1, 7))
    write_case(tmp_path, affines={"regions": part, "body": part}, **scans, regions=labels[cut], body=body[cut])
    loaded = load_case(case_in(tmp_path, regions=["regions"], body="body"), CONFIG)
    assert loaded.body.shape == loaded.regions.shape == SHAPE
    assert np.array_equal(loaded.body[cut], body[cut] > 0)
    assert np.array_equal(loaded.regions.labels[cut], labels[cut])
    assert loaded.body.sum() == body[cut].sum()


@pytest.mark.parametrize("mask", ["regions", "body"])
def test_a_mask_on_any_other_grid_is_refused_by_its_file(tmp_path, mask):
    scans, other = head(), AFFINE.copy()
    other[0, 3] += 3.0
    write_case(tmp_path, affines={mask: other}, **scans, **{mask: labels_of(scans["ct"])})
    case = case_in(tmp_path, **({"regions": [mask]} if mask == "regions" else {"body": mask}))
    with pytest.raises(Medp2pError, match=rf"{mask}\.nii\.gz: .*lies on another grid"):
        load_case(case, CONFIG)


def test_every_file_that_is_refused_is_named_at_once(tmp_path):
    write_case(tmp_path, **head(), regions=np.full(SHAPE, 255, np.uint8))
    (tmp_path / "mr.nii.gz").write_bytes(b"no image")
    (tmp_path / "body.nii.gz").write_bytes(b"")
    with pytest.raises(FileError) as refused:
        load_case(case_in(tmp_path, regions=["regions"], body="body"), CONFIG)
    paths = [fault.path for fault in refused.value.faults]
    assert paths == [str(tmp_path / f"{name}.nii.gz") for name in ("mr", "regions", "body")]
    assert "255" in str(refused.value)


def test_without_names_every_label_is_called_by_its_number(tmp_path):
    scans = head()
    write_case(tmp_path, **scans, regions=labels_of(scans["ct"]))
    loaded = load_case(case_in(tmp_path, regions=["regions"]), config_of("/scans"))
    assert loaded.regions.region_names == ("1", "2")
