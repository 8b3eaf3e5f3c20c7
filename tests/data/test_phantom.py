"""Synthetic heads look like heads to every check that real scans must pass."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ruamel.yaml import YAML
from scipy import ndimage
from skimage.filters import threshold_otsu

from medp2p.data.phantom import phantom_head, write_phantoms
from medp2p.data.phantom_scanner import REGIONS
from medp2p.errors import ConfigError, FileError, OutputExistsError
from medp2p.io import read_regions, read_volume

SMALL = (48, 54, 28)
SEEDS = range(6)


def filled(mask: np.ndarray) -> np.ndarray:
    parts, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    largest = parts == np.bincount(parts.ravel())[1:].argmax() + 1
    return np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(largest, 2, 0)], axis=2)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def voxels(path: Path) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_label_is_in_every_head_and_no_other(seed: int) -> None:
    head = phantom_head(seed, shape=SMALL)
    assert set(np.unique(head.regions.labels)) == {0, *REGIONS}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ct_is_in_hounsfield_units(seed: int) -> None:
    head = phantom_head(seed)
    low, high = np.percentile(head.ct.voxels, [0.5, 99.5])
    assert low < -900
    assert 800 < high < 3000
    assert head.ct.voxels.dtype == np.int16
    medians = {name: np.median(head.ct.voxels[head.regions.mask(name)]) for name in head.regions.region_names}
    assert -20 < medians["soft_tissue"] < 70
    assert 20 < medians["brain"] < 50 < medians["lesion"] < 100
    assert 400 < medians["bone"] < 1500
    assert medians["air"] < -700


@pytest.mark.parametrize("seed", SEEDS)
def test_the_heads_outline_is_found_in_the_mr_and_in_the_ct(seed: int) -> None:
    head = phantom_head(seed)
    smooth = ndimage.gaussian_filter(head.mr.voxels.astype(float), 1)
    in_mr, in_ct = filled(smooth > 0.35 * threshold_otsu(smooth)), filled(head.ct.voxels > -500)
    assert dice(in_mr, in_ct) > 0.9
    assert dice(in_ct, head.body.voxels > 0) > 0.97


@pytest.mark.parametrize("awkward", [False, True])
def test_left_right_front_and_back_are_unmistakable(awkward: bool) -> None:
    for seed in SEEDS:
        head = phantom_head(seed, shape=SMALL, awkward=awkward)
        lesion = np.argwhere(head.regions.mask("lesion")) @ head.ct.affine[:3, :3].T + head.ct.affine[:3, 3]
        air = np.argwhere(head.regions.mask("air")) @ head.ct.affine[:3, :3].T + head.ct.affine[:3, 3]
        assert np.median(lesion[:, 0]) < -10
        assert np.median(air[:, 1]) > 20
        assert np.median(air[:, 2]) < np.median(lesion[:, 2])


def test_patients_and_scanners_differ() -> None:
    heads = [phantom_head(seed, shape=SMALL) for seed in SEEDS]
    sizes = [np.count_nonzero(head.body.voxels) for head in heads]
    brightest = [np.percentile(head.mr.voxels, 99) for head in heads]
    assert len(set(sizes)) == len(heads)
    assert max(brightest) > 2 * min(brightest)
    assert {head.mr.voxels.dtype.name for head in heads} == {"int16", "uint16"}


def test_awkward_grids_are_oblique_flipped_permuted_and_anisotropic() -> None:
    heads = [phantom_head(seed, shape=SMALL, awkward=True) for seed in range(12)]
    grids = {head.ct.orientation for head in heads}
    assert len(grids) > 6
    assert len({"".join(sorted(grid.translate(str.maketrans("LPI", "RAS")))) for grid in grids}) == 1
    assert len({head.ct.header.sform_code for head in heads}) == 3
    for head in heads:
        axes = head.ct.affine[:3, :3] / np.array(head.ct.spacing_mm)
        assert np.abs(axes).max() < 0.999
        assert max(head.ct.spacing_mm) > 1.5 * min(head.ct.spacing_mm)
        assert all(volume.same_grid(head.ct) for volume in head.volumes().values())


def test_the_same_seed_gives_the_same_cohort_however_many_cases_there_are(tmp_path: Path) -> None:
    cases = write_phantoms(tmp_path / "two", cases=2, seed=3)
    again = write_phantoms(tmp_path / "one", cases=1, seed=3)
    other = write_phantoms(tmp_path / "other", cases=1, seed=4)
    for name in ("mr", "ct", "regions", "body"):
        assert np.array_equal(voxels(cases[0] / f"{name}.nii.gz"), voxels(again[0] / f"{name}.nii.gz"))
        assert not np.array_equal(voxels(cases[0] / f"{name}.nii.gz"), voxels(cases[1] / f"{name}.nii.gz"))
    assert not np.array_equal(voxels(again[0] / "mr.nii.gz"), voxels(other[0] / "mr.nii.gz"))


def test_a_cohort_holds_four_scans_per_case_and_a_label_table(tmp_path: Path) -> None:
    told = []
    cases = write_phantoms(tmp_path / "heads", cases=2, progress=lambda *state: told.append(state))
    assert [case.name for case in cases] == ["head_001", "head_002"]
    assert told == [(1, 2, "head_001"), (2, 2, "head_002")]
    for case in cases:
        assert sorted(file.name for file in case.iterdir()) == [
            "body.nii.gz",
            "ct.nii.gz",
            "mr.nii.gz",
            "regions.nii.gz",
        ]
        grids = [nib.load(file).affine for file in case.iterdir()]
        assert all(np.array_equal(grid, grids[0]) for grid in grids)
    lines = (tmp_path / "heads" / "labels.yaml").read_text().splitlines()
    assert lines == ["1: brain", "2: bone", "3: air", "4: soft_tissue", "5: lesion"]


def test_a_folder_that_holds_something_is_refused_and_overwriting_touches_nothing_else(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(OutputExistsError):
        write_phantoms(tmp_path, cases=1)
    write_phantoms(tmp_path, cases=1, overwrite=True)
    write_phantoms(tmp_path, cases=1, seed=1, overwrite=True)
    assert notes.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head_001", "labels.yaml", "notes.txt"]


@pytest.mark.parametrize(
    "wrong", [{"cases": 0}, {"seed": -1}, {"kind": "hands"}, {"kind": "pictures", "awkward": True}]
)
def test_numbers_out_of_range_and_unknown_kinds_are_refused(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(ConfigError):
        write_phantoms(tmp_path / "heads", **wrong)
    assert not (tmp_path / "heads").exists()


@pytest.mark.parametrize("kind", ["head", "pictures"])
def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "cohort"):
        with pytest.raises(FileError, match=f"{place}: cannot be made: "):
            write_phantoms(place, cases=1, kind=kind, overwrite=True, shape=(16, 18, 9))


def test_the_labels_are_those_of_the_shipped_configurations() -> None:
    for name in ("mr2ct", "demo"):
        text = (Path(__file__).parents[2] / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
        assert YAML(typ="safe", pure=True).load(text)["regions"]["names"] == REGIONS


def test_facades_are_pairs_in_the_folders_of_the_reference_with_their_parts_as_labels(tmp_path: Path) -> None:
    written = write_phantoms(tmp_path / "one", cases=5, kind="pictures")
    assert [path.parent.name for path in written] == ["train", "test", "train", "train", "val"]
    regions = read_regions(tmp_path / "one/train/regions/facade_001.png", tmp_path / "one/labels.yaml")
    assert {"sky", "wall", "window", "door", "cornice"} <= set(regions.region_names)
    both = read_volume(written[0])
    assert both.shape == (512, 256, 3)
    drawing, labels = both.voxels[256:], regions.labels[:, :, 0]
    assert all(len(np.unique(drawing[labels == label], axis=0)) == 1 for label in np.unique(labels))
    again = write_phantoms(tmp_path / "two", cases=1, kind="pictures")
    assert again[0].read_bytes() == written[0].read_bytes()
