"""Regions: label maps with names, masks and weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medp2p.errors import GeometryError, RegionError
from medp2p.regions import Regions

ROW = np.array([[[0, 1, 2, 3]]])
NAMES = {1: "brain", 2: "bone", 3: "air"}


@pytest.fixture
def head() -> Regions:
    return Regions(ROW, np.eye(4), NAMES, groups={"hard": ["bone", "air"]})


def row(mask: np.ndarray) -> list:
    return mask.ravel().tolist()


def test_a_scan_is_not_taken_for_a_label_map() -> None:
    values = np.arange(1000).reshape(10, 10, 10)
    with pytest.raises(RegionError, match=r"this is a scan, no label map \(found 1000 different values"):
        Regions(values, np.eye(4))
    assert len(Regions(values, np.eye(4), {label: f"r{label}" for label in range(1000)}).region_names) == 999


def test_a_mask_is_where_the_label_has_the_name(head) -> None:
    assert row(head.mask("bone")) == [False, False, True, False]


def test_a_group_is_the_union_of_its_regions(head) -> None:
    assert row(head.mask("hard")) == [False, False, True, True]
    assert head.region_names == ("brain", "bone", "air", "hard")


def test_one_name_for_two_labels_is_their_union() -> None:
    both = Regions(ROW, np.eye(4), {1: "brain", 2: "bone", 3: "bone"})
    assert row(both.mask("bone")) == [False, False, True, True]
    assert both.label_of("bone") is None
    assert both.label_of("brain") == 1


def test_background_is_never_a_region_but_can_have_a_weight() -> None:
    named = Regions(ROW, np.eye(4), {0: "background", **NAMES})
    assert "background" not in named.region_names
    assert row(named.weight_map({"background": 0.0, "bone": 2.0})) == [0.0, 1.0, 2.0, 1.0]


def test_the_largest_weight_counts_where_layers_overlap(head) -> None:
    lesion = Regions(np.array([[[0, 0, 1, 1]]]), np.eye(4), {1: "lesion"})
    both = Regions.combine(head, lesion)
    assert row(both.weight_map({"bone": 4.0, "lesion": 2.0, "air": 0.5})) == [1.0, 1.0, 4.0, 2.0]
    assert row(both.weight_map({"air": 0.0, "brain": 0.0})) == [1.0, 0.0, 1.0, 0.0]


def test_layers_on_different_grids_are_refused(head) -> None:
    with pytest.raises(GeometryError, match="different grids"):
        Regions.combine(head, Regions(ROW, np.diag([2.0, 1, 1, 1]), NAMES))


def test_a_label_without_a_name_is_refused() -> None:
    with pytest.raises(RegionError, match="label 3 has no name"):
        Regions(ROW, np.eye(4), {1: "brain", 2: "bone"})


def test_without_names_a_label_is_called_by_its_number() -> None:
    assert Regions(ROW, np.eye(4)).region_names == ("1", "2", "3")


def test_an_unknown_region_is_refused_with_the_nearest_name(head) -> None:
    with pytest.raises(RegionError, match="write bone"):
        head.mask("bones")


def test_a_region_asked_for_by_its_number_is_answered_with_the_names(head) -> None:
    with pytest.raises(RegionError, match=r"no region is called 2 .*one of brain, bone"):
        head.mask(2)


@pytest.mark.parametrize("names", [{"1": "brain", "2": "bone", "3": "air"}, {"brain": 1}, ["brain", "bone", "air"]])
def test_names_that_are_not_called_by_whole_numbers_are_refused_with_what_was_given(names) -> None:
    with pytest.raises(RegionError, match=r"called by their labels \(found '(1|brain)'.*as \{1: 'brain'\}"):
        Regions(ROW, np.eye(4), names)


@given(st.floats(-9e-4, 9e-4))
def test_rounding_noise_of_a_float_map_is_no_fraction(noise: float) -> None:
    assert Regions(ROW + noise, np.eye(4), NAMES).labels.ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("bad", [0.98, 1.37, -1.0, 2.0**31, np.nan])
def test_values_that_are_no_labels_are_refused_by_value(bad: float) -> None:
    with pytest.raises(RegionError, match="no labels"):
        Regions(np.array([[[0.0, bad]]]), np.eye(4))


def test_large_labels_are_kept_exactly() -> None:
    assert Regions(np.array([[[0, 2**31 - 1]]], np.int64), np.eye(4)).region_names == ("2147483647",)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(head, weight: float) -> None:
    with pytest.raises(RegionError, match="weight"):
        head.weight_map({"bone": weight})
