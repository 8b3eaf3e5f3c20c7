"""Label tables and files of regions, as people have them."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.errors import FileError, Medp2pError, RegionError
from medp2p.io import label_names, list_images, read_label_table, read_regions, read_volume
from medp2p.io.names import image_files, image_stem

ITK_SNAP = """################################################
# ITK-SNAP Label Description File
################################################
    0     0    0    0        0  0  0    "Clear Label"
    1   255    0    0        1  1  1    "left lung"
    7     0  255    0      0.5  1  0    "Label 7"
"""
CTBL = "# Color table file C:/x.ctbl\n# 3 values\n0 Background 0 0 0 0\n1 bone 255 0 0 255\n2 left_lung 0 255 0 255\n"
SLICER_CSV = 'LabelValue,Name,Color_R,Color_G,Color_B,Color_A\r\n1,bone,255,0,0,255\r\n2,"lung, left",0,1,0,255\r\n\r\n'
DATASET = {
    "channel_names": {"0": "T1"},
    "labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3},
}


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.yaml", "1: brain\n2: bone\n", {1: "brain", 2: "bone"}),
        ("a.yml", "brain: 1\nbone: 2\nbackground: 0\n", {0: "background", 1: "brain", 2: "bone"}),
        ("a.yaml", "lesion: [4, 5]\nbrain: 1\n", {1: "brain", 4: "lesion", 5: "lesion"}),
        (
            "a.yaml",
            "1: '007'\n2: 'NA'\n3: '1e5'\n4: 'true'\n5: no\n",
            {1: "007", 2: "NA", 3: "1e5", 4: "true", 5: "no"},
        ),
        ("a.label", ITK_SNAP, {0: "background", 1: "left lung", 7: "Label 7"}),
        ("a.txt", ITK_SNAP, {0: "background", 1: "left lung", 7: "Label 7"}),
        ("a.ctbl", CTBL, {0: "background", 1: "bone", 2: "left_lung"}),
        ("a.txt", CTBL, {0: "background", 1: "bone", 2: "left_lung"}),
        ("a.csv", SLICER_CSV, {1: "bone", 2: "lung, left"}),
        ("a.csv", "\ufeff" + SLICER_CSV.replace(",", ";").replace("lung; ", "lung, "), {1: "bone", 2: "lung, left"}),
        ("a.json", json.dumps({"labels": {"0": "background", "1": "tumour"}}), {0: "background", 1: "tumour"}),
        ("a.json", json.dumps({"labels": {"background": 0, "tumour": 1}}), {0: "background", 1: "tumour"}),
    ],
)
def test_every_kind_of_table_gives_label_to_name(tmp_path: Path, name: str, text: str, names: dict) -> None:
    assert read_label_table(written(tmp_path / name, text)) == (names, {})


def test_region_classes_of_nnunet_become_groups_that_cover_their_labels(tmp_path: Path) -> None:
    names, groups = read_label_table(written(tmp_path / "dataset.json", json.dumps(DATASET)))
    assert names == {0: "background", 1: "1", 2: "2", 3: "enhancing"}
    assert groups == {"whole": ["1", "2", "enhancing"], "core": ["2", "enhancing"]}


def test_lists_that_overlap_in_part_stay_apart() -> None:
    names, groups = label_names({"a": [1, 2], "b": [2, 3]})
    assert names == {1: "1", 2: "2", 3: "3"}
    assert groups == {"a": ["1", "2"], "b": ["2", "3"]}


def test_groups_join_names_or_labels(tmp_path: Path) -> None:
    text = "1: brain\n2: bone\n3: air\ngroups:\n  head: [brain, bone]\n  rest: [3]\n"
    assert read_label_table(written(tmp_path / "a.yaml", text)) == (
        {1: "brain", 2: "bone", 3: "air"},
        {"head": ["brain", "bone"], "rest": ["air"]},
    )


def test_totalsegmentator_is_known_by_one_word() -> None:
    names, groups = read_label_table("totalsegmentator")
    assert (len(names), names[1], names[26], names[50], names[90], names[104], names[117], groups) == (
        117, "spleen", "vertebrae_S1", "vertebrae_C1", "brain", "rib_right_1", "costal_cartilages", {},
    )  # fmt: skip


@given(st.dictionaries(st.integers(0, 2**31 - 1), st.text("abcdefghij", min_size=1), min_size=1, max_size=8))
def test_both_directions_mean_the_same_regions(names: dict[int, str]) -> None:
    turned: dict[str, list[int]] = {}
    for label, name in names.items():
        turned.setdefault(name, []).append(label)
    assert label_names(names) == label_names(turned) == (dict(sorted(names.items())), {})


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("a.yaml", "1: brain\n1: bone\n", "line 1 already"),
        ("a.yaml", "brain: 1\nbone: 1\n", "two names"),
        ("a.yaml", "brain: 1.5\n", "neither"),
        ("a.yaml", "brain: null\n", "neither"),
        ("a.yaml", "brain: -1\n", "neither"),
        ("a.yaml", "brain: 2147483648\n", "neither"),
        ("a.yaml", "1: body\n", "reserved"),
        ("a.yaml", "[1, 2]\n", "no mapping"),
        ("a.yaml", "1: brain\ngroups: {head: [skull]}\n", "no label"),
        ("a.yaml", "1: lung\n2: lung\ngroups: {left: [1]}\n", "part of lung"),
        ("a.yaml", "groups: {}\n", "no label has a name"),
        ("a.label", '1 255 0 0 1 1 1 "lung"\n1 0 0 0 1 1 1 "bone"\n', "a.label:2: label 1 stands here again"),
        ("a.label", "hello world\n", "a.label:1: no label with its name"),
        ("a.ctbl", "5\n", "no label with its name"),
        ("a.csv", "Id,Name\n1,bone\n", "LabelValue"),
        ("a.csv", "LabelValue,Name\n1,bone\nx,lung\n", "a.csv:3: no label"),
        ("a.json", "{", "a.json:1: no JSON"),
        ("a.json", '{"labels": {"a": 1, "a": 2}}', "twice"),
        ("a.json", '{"numTraining": 3}', "has no labels"),
        ("a.json", '{"labels": [1]}', "no mapping"),
        ("a.csv", "LabelValue,Name\n" + "x" * 200_000 + ",bone\n", "no CSV: field larger"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path: Path, name: str, text: str, cause: str) -> None:
    with pytest.raises(Medp2pError, match=cause):
        read_label_table(written(tmp_path / name, text))


def test_a_table_in_another_encoding_or_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("LabelValue,Name\n1,h\xfcfte\n".encode("latin-1"))
    for name in ("a.csv", "missing.label"):
        with pytest.raises(FileError, match=name):
            read_label_table(tmp_path / name)


def label_map(path: Path, values: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2, 2, 1]), dtype=values.dtype), path)
    return path


def test_a_float_map_with_rounding_noise_is_a_label_map(tmp_path: Path) -> None:
    regions = read_regions(
        label_map(tmp_path / "a.nii.gz", np.array([[[0, 1.00004, 3.0000458]]], "f4")), {1: "a", 3: "b"}
    )
    assert regions.labels.tolist() == [[[0, 1, 3]]]
    assert regions.region_names == ("a", "b")


@pytest.mark.parametrize("value", [0.98, 1.37, -1.0, 2.0**31])
def test_what_is_no_label_is_refused_with_the_value_and_file(tmp_path: Path, value: float) -> None:
    with pytest.raises(RegionError, match=re.escape(f"found {value:g}")):
        read_regions(label_map(tmp_path / "a.nii", np.array([[[0, value]]], "f8")))


def test_large_labels_are_kept_exactly(tmp_path: Path) -> None:
    regions = read_regions(label_map(tmp_path / "a.nii", np.array([[[0, 2**31 - 1]]], "i4")))
    assert regions.labels.max() == 2**31 - 1


def test_a_label_without_a_name_is_refused_by_its_file(tmp_path: Path) -> None:
    with pytest.raises(RegionError, match=r"a\.nii: label 2 has no name"):
        read_regions(label_map(tmp_path / "a.nii", np.array([[[0, 2]]], "u1")), {1: "bone"})


def test_names_may_come_from_a_file_or_the_other_way_round(tmp_path: Path) -> None:
    path = label_map(tmp_path / "a.nii", np.array([[[0, 1, 2]]], "u1"))
    written(tmp_path / "labels.yaml", "bone: 1\nair: 2\ngroups: {head: [bone, air]}\n")
    for names in (tmp_path / "labels.yaml", str(tmp_path / "labels.yaml")):
        regions = read_regions(path, names)
        assert regions.region_names == ("bone", "air", "head")
        assert regions.mask("head").tolist() == [[[False, True, True]]]
    assert read_regions(path, {"bone": 1, "air": 2}).region_names == ("bone", "air")


def segmentation(path: Path, layers: np.ndarray, segments: list[dict[str, object]]) -> Path:
    """A .seg.nrrd as 3D Slicer writes it; layers of shape (layers, X, Y, Z)."""
    sizes = " ".join(map(str, layers.shape))
    lines = [
        "NRRD0004", "type: unsigned char", "dimension: 4", "space: left-posterior-superior", f"sizes: {sizes}",
        "space directions: none (1,0,0) (0,1,0) (0,0,2)", "kinds: list domain domain domain", "encoding: raw",
        "space origin: (0,0,0)",
        *(f"Segment{n}_{key}:={value}" for n, segment in enumerate(segments) for key, value in segment.items()), "", "",
    ]  # fmt: skip
    path.write_bytes("\n".join(lines).encode() + layers.astype("u1").tobytes(order="F"))
    return path


LAYERS = np.zeros((2, 3, 4, 5), "u1")
LAYERS[0, 0], LAYERS[0, 1], LAYERS[1, :2] = 1, 2, 1
SEGMENTS = [
    {"Name": "bone", "LabelValue": 1, "Layer": 0},
    {"Name": "lung", "LabelValue": 2, "Layer": 0},
    {"Name": "chest", "LabelValue": 1, "Layer": 1},
]


def test_a_layered_segmentation_gives_masks_that_overlap(tmp_path: Path) -> None:
    regions = read_regions(segmentation(tmp_path / "a.seg.nrrd", LAYERS, SEGMENTS))
    assert regions.region_names == ("bone", "lung", "chest")
    assert (regions.mask("chest") & regions.mask("bone")).sum() == regions.mask("bone").sum() == 20


def test_an_old_segmentation_has_a_layer_a_segment(tmp_path: Path) -> None:
    layers = (LAYERS == 1).astype("u1")
    regions = read_regions(segmentation(tmp_path / "a.seg.nrrd", layers, [{"Name": "bone"}, {"Name": "chest"}]))
    assert regions.mask("chest").sum() == 40


@pytest.mark.parametrize(
    ("segments", "names", "cause"),
    [
        ([], None, "several layers without names"),
        (SEGMENTS, {1: "bone"}, "no table can tell apart"),
        ([*SEGMENTS, {"Name": "x", "LabelValue": 1, "Layer": 7}], None, "Segment3"),
        ([*SEGMENTS, {"Name": "x", "LabelValue": 1, "Layer": 0}], None, "Segment3"),
        (SEGMENTS[:1], None, "label 2 has no name"),
    ],
)
def test_segmentations_that_cannot_be_understood_are_refused(
    tmp_path: Path, segments: list, names: dict | None, cause: str
) -> None:
    with pytest.raises(RegionError, match=cause):
        read_regions(segmentation(tmp_path / "a.seg.nrrd", LAYERS, segments), names)


def test_a_layered_segmentation_is_no_scan(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="more than one volume"):
        read_volume(segmentation(tmp_path / "a.seg.nrrd", LAYERS, SEGMENTS))


def test_images_of_a_folder_are_listed_by_name_and_doubles_are_named(tmp_path: Path) -> None:
    for name in (
        "S1.a.nii",
        "S2.mha",
        "S2.NII.GZ",
        "._S3.nii",
        ".DS_Store",
        "Thumbs.db",
        "notes.txt",
        "p.hdr",
        "p.img",
    ):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.nii").mkdir()
    found, faults = list_images(tmp_path)
    assert {stem: path.name for stem, path in found.items()} == {"S1.a": "S1.a.nii", "p": "p.hdr"}
    assert [str(f) for f in faults] == [str(f) for f in faults if "S2.NII.GZ and S2.mha" in str(f)]
    assert len(faults) == 1
    assert [path.name for path in image_files(tmp_path)] == ["S1.a.nii", "S2.NII.GZ", "S2.mha", "p.hdr"]
    assert image_stem("x/head.SEG.nrrd") == "head"
