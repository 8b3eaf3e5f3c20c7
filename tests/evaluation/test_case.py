import numpy as np
import pytest

from medp2p.errors import ConfigError, GeometryError, RegionError
from medp2p.evaluation import METRICS, SCORE_COLUMNS, evaluate, protocols
from medp2p.regions import Regions
from medp2p.volume import Volume

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
NAMES = {1: "brain", 2: "bone", 3: "lesion"}


def head(error=10, lesion=3):
    """A head of noise with a brain, a bone and a lesion, and a prediction that is off by one number everywhere."""
    body, labels = np.zeros((48, 48, 32), np.uint8), np.zeros((48, 48, 32), np.uint8)
    body[6:42, 6:42, 4:28], labels[10:20, 10:20, 8:18], labels[24:34, 24:34, 8:18] = 1, 1, 2
    reference = np.where(body, np.random.default_rng(0).integers(-90, 90, body.shape), -1000).astype(np.int16)
    reference[labels == 2] = 700
    labels[36:38, 36:38, 20:22] = lesion
    volume = Volume(reference, AFFINE)
    return volume.with_voxels(reference + np.int16(error)), volume, Regions(labels, AFFINE, NAMES), body


def row(scores, region, metric):
    (found,) = [r for r in scores if (r["region"], r["metric"]) == (region, metric)]
    return found


def test_every_region_and_metric_has_one_row_with_the_columns_of_the_contract():
    predicted, reference, regions, body = head()
    scores = evaluate(predicted, reference, regions, body=body, weighted=["lesion"], case="first")
    assert all(tuple(r) == SCORE_COLUMNS for r in scores)
    assert scores.regions == ("volume", "body", "brain", "bone", "lesion", "weighted", "outside")
    pairs = [(r["region"], r["metric"]) for r in scores if r["metric"] in METRICS]
    assert pairs == [(region, metric) for region in scores.regions for metric in METRICS]
    assert {r["case"] for r in scores} == {"first"}


def test_an_error_of_ten_everywhere_is_ten_in_every_region():
    predicted, reference, regions, body = head()
    scores = evaluate(predicted, reference, regions, body=body, weighted=["lesion"])
    for region in scores.regions:
        assert row(scores, region, "mae")["value"] == 10
        assert row(scores, region, "me")["value"] == 10
        assert row(scores, region, "psnr")["value"] == pytest.approx(20 * np.log10(409.5))


def test_voxels_labels_units_and_data_range_stand_in_the_rows():
    predicted, reference, regions, body = head()
    scores = evaluate(predicted, reference, regions, body=body, weighted=["lesion"])
    found = {r["region"]: (r["voxels"], r["label"]) for r in scores if r["metric"] == "mae"}
    inside = 36 * 36 * 24
    assert found == {
        "volume": (48 * 48 * 32, None),
        "body": (inside, None),
        "brain": (1000, 1),
        "bone": (1000, 2),
        "lesion": (8, 3),
        "weighted": (8, None),
        "outside": (inside - 8, None),
    }
    assert {m: row(scores, "body", m)["unit"] for m in METRICS} == {
        "mae": "HU",
        "me": "HU",
        "psnr": "dB",
        "ssim": None,
        "ms_ssim": None,
    }
    assert {(r["protocol"], r["data_range"]) for r in scores} == {("synthrad2025", 4095.0)}


def test_a_value_that_cannot_be_given_is_empty_and_says_why():
    predicted, reference, regions, body = head(lesion=0)
    scores = evaluate(predicted, reference, regions, body=body)
    assert all(r["reason"] for r in scores if r["value"] is None)
    assert row(scores, "lesion", "mae")["reason"] == "the region holds no voxel in this case"
    assert row(scores, "weighted", "ssim")["reason"] == "no region weighs above 1"
    assert row(scores, "outside", "mae")["value"] is None


def test_a_region_that_four_halvings_leave_nothing_of_has_no_ms_ssim():
    predicted, reference, regions, body = head()
    found = row(evaluate(predicted, reference, regions, body=body), "lesion", "ms_ssim")
    assert found["value"] is None
    assert "five levels" in found["reason"]


def test_a_region_outside_the_body_says_so():
    predicted, reference, regions, body = head()
    body[30:] = 0
    scores = evaluate(predicted, reference, regions, body=body)
    assert row(scores, "lesion", "mae")["reason"] == "no voxel of the region lies in the body"
    assert row(scores, "lesion", "mae")["voxels"] == 0


def test_an_exact_prediction_has_an_infinite_psnr():
    predicted, reference, regions, body = head(error=0)
    found = row(evaluate(predicted, reference, regions, body=body), "body", "psnr")
    assert found["value"] == float("inf")
    assert found["reason"] is None


def test_a_body_that_was_found_says_so():
    predicted, reference, _, body = head()
    found = row(evaluate(predicted, reference), "body", "mae")
    assert found["voxels"] == np.count_nonzero(body)
    assert "found" in found["reason"]


@pytest.mark.parametrize("turn", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("flip", [0, 2])
def test_the_body_is_the_same_however_the_voxels_are_stored(turn, flip):
    predicted, reference, _, _ = head()
    cavity = np.array(reference.voxels)
    cavity[12:18, 12:18, :] = -1000
    affine = AFFINE[:, [*turn, 3]].copy()
    affine[:3, 3] = affine[:3, flip] * (np.transpose(cavity, turn).shape[flip] - 1)
    affine[:3, flip] *= -1
    stored = [Volume(np.flip(v.transpose(turn), flip), affine) for v in (predicted.voxels, cavity)]
    plain = evaluate(predicted, Volume(cavity, AFFINE))
    turned = evaluate(*stored)
    assert row(turned, "body", "mae")["voxels"] == row(plain, "body", "mae")["voxels"]
    assert row(turned, "body", "ssim")["value"] == pytest.approx(row(plain, "body", "ssim")["value"], rel=1e-12)


def test_auto_takes_mr_where_no_air_is_below_minus_500_hu():
    predicted, reference, _, body = head()
    scores = evaluate(
        predicted.with_voxels(predicted.voxels + 1000), reference.with_voxels(reference.voxels + 1000), body=body
    )
    assert scores.protocol.name == "mr"
    scale = row(scores, "body", "scale")
    assert scale["value"] == pytest.approx(0.99, abs=0.02)
    assert row(scores, "body", "mae")["unit"] == "range"


def test_a_prediction_of_inverted_contrast_says_so():
    _, reference, regions, body = head()
    inverted = reference.with_voxels(-1.0 * reference.voxels.astype(np.float32))
    found = row(evaluate(inverted, reference, regions, body=body, protocol="mr"), "body", "scale")
    assert found["value"] == pytest.approx(-1)
    assert "inverted" in found["reason"]


def test_a_reference_that_cannot_be_hu_is_refused_with_both_numbers():
    predicted, reference, _, _ = head()
    shifted = [volume.with_voxels(volume.voxels + np.int16(1024)) for volume in (predicted, reference)]
    with pytest.raises(ConfigError, match=r"0\.5th percentile 24, 99\.5th percentile \d+"):
        evaluate(*shifted, protocol="synthrad2025")
    high = reference.with_voxels(np.where(reference.voxels == 700, 30000, reference.voxels))
    with pytest.raises(ConfigError, match=r"99\.5th percentile 30000"):
        evaluate(predicted, high)


def test_scans_on_other_grids_are_refused():
    predicted, reference, _, _ = head()
    with pytest.raises(GeometryError, match=r"different grids .*found 47 x 48 x 32"):
        evaluate(Volume(predicted.voxels[1:], AFFINE), reference)
    moved = AFFINE.copy()
    moved[0, 3] = 1
    with pytest.raises(GeometryError, match="different grids"):
        evaluate(Volume(predicted.voxels, moved), reference)


def test_a_label_map_that_covers_a_part_of_the_scan_is_placed_into_it():
    predicted, reference, regions, body = head()
    part = AFFINE.copy()
    part[:3, 3] = AFFINE[:3, :3] @ [8, 8, 6]
    cut = Regions(regions.labels[8:40, 8:40, 6:30], part, NAMES)
    whole, placed = (evaluate(predicted, reference, r, body=body) for r in (regions, cut))
    assert list(whole) == list(placed)
    part[0, 3] += 0.5
    with pytest.raises(GeometryError, match="label map lies on another grid"):
        evaluate(predicted, reference, Regions(cut.labels, part, NAMES), body=body)


def test_overlapping_masks_and_groups_are_regions_like_others():
    predicted, reference, regions, body = head()
    grouped = Regions(regions.labels, AFFINE, NAMES, groups={"head": ["brain", "bone"]})
    mask = np.zeros(reference.shape, bool)
    mask[12:30, 12:30, 10:12] = True
    scores = evaluate(predicted, reference, grouped, body=body, masks={"slab": mask})
    assert row(scores, "head", "mae")["voxels"] == 2000
    assert row(scores, "head", "mae")["label"] is None
    assert row(scores, "slab", "mae")["voxels"] == 18 * 18 * 2


@pytest.mark.parametrize("name", ["volume", "body", "weighted", "outside"])
def test_reserved_names_are_refused(name):
    predicted, reference, regions, body = head()
    with pytest.raises(RegionError, match=f"cannot be called {name}"):
        evaluate(predicted, reference, Regions(regions.labels, AFFINE, NAMES | {1: name}), body=body)


def test_names_that_are_unknown_or_come_twice_are_refused():
    predicted, reference, regions, body = head()
    with pytest.raises(RegionError, match=r"no region is called lesio.*write lesion"):
        evaluate(predicted, reference, regions, body=body, weighted=["lesio"])
    with pytest.raises(RegionError, match="two regions are called bone"):
        evaluate(predicted, reference, regions, body=body, masks={"bone": body})
    with pytest.raises(ConfigError, match=r"no protocol is called synthrad2024.*write synthrad202"):
        evaluate(predicted, reference, protocol="synthrad2024")


def test_a_fractional_body_is_refused_and_an_empty_one_is_rows_with_a_reason():
    predicted, reference, _, body = head()
    with pytest.raises(RegionError, match=r"0\.37"):
        evaluate(predicted, reference, body=np.where(body, 0.37, 0.0))
    scores = evaluate(predicted, reference, body=np.zeros_like(body))
    assert row(scores, "volume", "mae")["value"] == 10
    assert row(scores, "body", "mae")["value"] is None
    assert row(scores, "body", "mae")["reason"]


def test_a_mask_may_be_a_volume_on_the_grid_of_the_scan():
    predicted, reference, regions, body = head()
    mask = Volume((regions.labels == 2).astype(np.uint8) * 255, AFFINE)
    scores = evaluate(predicted, reference, body=Volume(body, AFFINE), masks={"skull": mask})
    assert row(scores, "skull", "mae")["voxels"] == int(mask.voxels.astype(bool).sum())
    with pytest.raises(GeometryError, match="skull mask lies on another grid"):
        evaluate(predicted, reference, masks={"skull": Volume(mask.voxels, np.diag([1.0, 1, 1, 1]))})


@pytest.mark.parametrize("role", ["regions", "predicted_regions"])
def test_a_label_map_without_names_of_its_own_is_refused_with_what_makes_one(role):
    predicted, reference, regions, _ = head()
    for labels in (regions.labels, Volume(regions.labels, AFFINE)):
        with pytest.raises(RegionError, match=rf"{role} are no Regions.*read_regions"):
            evaluate(predicted, reference, **{role: labels})


def test_dice_and_distance_come_with_a_label_map_of_the_prediction():
    predicted, reference, regions, body = head()
    moved = Regions(np.roll(regions.labels, 1, axis=2), AFFINE, NAMES)
    scores = evaluate(predicted, reference, regions, body=body, predicted_regions=moved)
    assert row(scores, "brain", "dice")["value"] == pytest.approx(0.9)
    assert (row(scores, "brain", "hd95")["value"], row(scores, "brain", "hd95")["unit"]) == (3.0, "mm")


def test_a_structure_that_the_prediction_lacks_overlaps_nothing_and_has_no_distance():
    predicted, reference, regions, body = head()
    lacking = Regions(np.where(regions.labels == 2, 0, regions.labels), AFFINE, {1: "brain", 3: "lesion"})
    scores = evaluate(predicted, reference, regions, body=body, predicted_regions=lacking)
    assert row(scores, "bone", "dice")["value"] == 0
    assert row(scores, "bone", "hd95")["reason"] == "the structure has no voxel in the prediction"
    assert row(scores, "lesion", "hd95")["value"] == 0


def test_bone_is_compared_by_threshold_where_the_prediction_has_no_label_map():
    predicted, reference, regions, body = head()
    found = row(evaluate(predicted, reference, regions, body=body), "bone", "dice")
    assert found["value"] == 1
    assert found["reason"] == "both scans above 250 HU in the body"


@pytest.mark.parametrize("protocol", [name for name, one in protocols.items() if not one.for_pictures])
def test_every_protocol_gives_every_row(protocol):
    predicted, reference, regions, body = head()
    scores = evaluate(predicted, reference, regions, body=body, weighted=["bone"], protocol=protocol)
    assert {(r["region"], r["metric"]) for r in scores} >= {(g, m) for g in scores.regions for m in METRICS}
    assert all(r["value"] is not None or r["reason"] for r in scores)
    assert row(scores, "volume", "mae")["value"] is not None


def test_a_reference_without_a_range_has_rows_with_reasons():
    flat = Volume(np.full((12, 12, 12), 7.0), AFFINE)
    scores = evaluate(flat, flat, body=np.ones((12, 12, 12), bool), protocol="mr")
    assert all(r["value"] is None and "no data range" in r["reason"] for r in scores if r["region"] == "body")
    assert row(scores, "body", "mae")["voxels"] == 12**3
    assert row(scores, "body", "scale")["value"] is None
