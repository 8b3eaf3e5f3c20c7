import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medp2p.errors import GeometryError
from medp2p.evaluation import METRICS, protocols

from . import oracles
from .pairs import make_pair

WINDOWS = {"synthrad2023": (-1024, 3000), "synthrad2025": (-1024, 3071)}

SCANS = [name for name, protocol in protocols.items() if not protocol.for_pictures]


def mr_pair(shape=(40, 50, 45), seed=2):
    rng = np.random.default_rng(seed)
    reference = rng.gamma(4.0, 120.0, shape).astype(np.float32)
    return make_pair(shape).masks, (0.6 * reference + rng.normal(0, 40, shape)).astype(np.float32), reference


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("mask", ["volume", "box", "speckle"])
def test_the_challenges_numbers_come_out(pair, name, mask):
    low, high = WINDOWS[name]
    found = protocols[name].score(pair.predicted, pair.reference, pair.masks[mask])
    counted = pair.masks[mask]
    mae, me = oracles.errors(pair.predicted, pair.reference, counted)
    wanted = {
        "mae": mae,
        "me": me,
        "psnr": oracles.psnr(pair.predicted, pair.reference, counted, low, high),
        "ssim": oracles.masked_ssim(pair.predicted, pair.reference, counted, low, high),
        "ms_ssim": oracles.ms_ssim(pair.predicted, pair.reference, counted, low, high)
        if name == "synthrad2025"
        else np.nan,
    }
    assert found == pytest.approx(wanted, rel=1e-10, nan_ok=True)


def test_a_thin_stack_ten_hu_too_bright_gives_the_known_numbers():
    reference = np.random.default_rng(0).integers(-900, 2001, (64, 64, 5)).astype(np.int16)
    everywhere = np.ones(reference.shape, bool)
    for name, psnr in (("synthrad2023", 52.09), ("synthrad2025", 52.25)):
        found = protocols[name].score(reference + 10, reference, everywhere)
        assert (found["mae"], found["me"]) == (10, 10)
        assert found["psnr"] == pytest.approx(psnr, abs=0.005)
        assert np.isnan(found["ssim"])


def test_mr_scores_do_not_depend_on_the_predictions_scale():
    masks, predicted, reference = mr_pair()
    first = protocols["mr"].score(predicted, reference, masks["box"])
    assert protocols["mr"].score(7.5 * predicted, reference, masks["box"]) == pytest.approx(first, rel=1e-6)


def test_mr_scores_are_those_of_the_formulae():
    masks, predicted, reference = mr_pair()
    body = masks["box"]
    p, g = predicted.astype(np.float64), reference.astype(np.float64)
    p = p * ((p * g)[body].sum() / (p * p)[body].sum())
    low, high = np.percentile(g[body], [0.5, 99.5])
    mae, me = oracles.errors(p, g, body)
    wanted = {
        "mae": mae / (high - low),
        "me": me / (high - low),
        "psnr": oracles.psnr(p, g, body, low, high),
        "ssim": oracles.masked_ssim(p, g, body, low, high),
        "ms_ssim": oracles.ms_ssim(p, g, body, low, high),
    }
    assert protocols["mr"].score(predicted, reference, body) == pytest.approx(wanted, rel=1e-9)


def test_mr_raw_gives_errors_in_the_scans_own_units():
    reference = np.linspace(497.4, 1502.6, 40**3).reshape(40, 40, 40)
    found = protocols["mr_raw"].score(reference + 10, reference, reference > 0)
    assert (found["mae"], found["me"]) == pytest.approx((10, 10))
    assert found["psnr"] == pytest.approx(40.0, abs=0.1)


@pytest.mark.parametrize("name", ["mr", "mr_raw"])
def test_a_reference_with_one_value_has_no_score(name):
    flat = np.full((9, 9, 9), 5.0)
    assert all(np.isnan(value) for value in protocols[name].score(flat + 1, flat, flat > 0).values())


def test_a_prediction_of_nothing_has_no_factor():
    reference = np.arange(1000.0).reshape(10, 10, 10)
    assert all(np.isnan(v) for v in protocols["mr"].score(0 * reference, reference, reference >= 0).values())
    assert protocols["mr_raw"].score(0 * reference, reference, reference >= 0)["mae"] == pytest.approx(499.5)


def test_skimage_is_the_mean_of_the_whole_images_map(pair):
    from skimage.metrics import structural_similarity

    first, second = pair.reference.astype(float), pair.predicted.astype(float)
    found = protocols["skimage"].score(pair.predicted, pair.reference, pair.masks["volume"])
    assert found["ssim"] == pytest.approx(structural_similarity(first, second, data_range=4095), rel=1e-12)
    assert found["psnr"] == pytest.approx(10 * np.log10(4095**2 / np.mean((first - second) ** 2)), rel=1e-12)
    assert np.isnan(found["ms_ssim"])


def test_skimage_takes_the_references_range_where_it_is_not_in_hu():
    from skimage.metrics import structural_similarity

    masks, predicted, reference = mr_pair()
    low, high = np.percentile(reference.astype(float), [0.5, 99.5])
    wanted = structural_similarity(reference.astype(float), predicted.astype(float), data_range=high - low)
    assert protocols["skimage"].score(predicted, reference, masks["volume"])["ssim"] == pytest.approx(wanted, rel=1e-12)


def test_monai_is_what_its_own_metrics_say():
    import torch
    from monai.metrics.regression import PSNRMetric, SSIMMetric

    pair = make_pair((30, 24, 28))
    given, wanted = (torch.from_numpy(a.astype(np.float64))[None, None] for a in (pair.predicted, pair.reference))
    found = protocols["monai"].score(pair.predicted, pair.reference, pair.masks["box"])
    assert found["ssim"] == pytest.approx(float(SSIMMetric(3, data_range=4095.0)(given, wanted)), rel=1e-6)
    assert found["psnr"] == pytest.approx(float(PSNRMetric(4095.0)(given, wanted)), rel=1e-9)
    assert np.isnan(found["ms_ssim"])


@pytest.mark.parametrize("name", SCANS)
def test_every_protocol_gives_every_metric_and_none_for_an_empty_mask(name):
    pair = make_pair((12, 12, 12))
    nothing = np.zeros((12, 12, 12), bool)
    found = protocols[name].score(pair.predicted, pair.reference, pair.masks["volume"])
    assert tuple(found) == METRICS
    assert np.isfinite(found["mae"])
    if name != "monai":
        assert all(np.isnan(v) for v in protocols[name].score(pair.predicted, pair.reference, nothing).values())


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([n for n in SCANS if n != "monai"]), st.integers(0, 1000), st.permutations([0, 1, 2]))
def test_turning_both_scans_changes_no_score(name, seed, axes):
    pair = make_pair((20, 17, 13), seed=seed)
    mask = pair.masks["rim"]
    first = protocols[name].score(pair.predicted, pair.reference, mask)
    turned = [np.flip(a.transpose(axes), axis=1) for a in (pair.predicted, pair.reference, mask)]
    assert {k: v for k, v in protocols[name].score(*turned).items() if k != "ms_ssim"} == pytest.approx(
        {k: v for k, v in first.items() if k != "ms_ssim"}, rel=1e-9, nan_ok=True
    )


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["synthrad2023", "synthrad2025"]), st.floats(-4000, 4000))
def test_what_lies_outside_the_mask_changes_no_score_of_the_challenges(name, damage):
    pair = make_pair((20, 17, 13), seed=1)
    mask = pair.masks["box"]
    damaged = np.where(mask, pair.predicted, np.float32(damage))
    assert protocols[name].score(damaged, pair.reference, mask) == pytest.approx(
        protocols[name].score(pair.predicted, pair.reference, mask), rel=1e-12, nan_ok=True
    )


def test_a_value_that_is_not_finite_is_refused():
    scan = np.zeros((8, 8, 8))
    broken = scan.copy()
    broken[1, 1, 1] = np.nan
    with pytest.raises(GeometryError, match="predicted holds values that are not finite"):
        protocols["synthrad2025"].score(broken, scan, scan == 0)
    with pytest.raises(GeometryError, match="no volume"):
        protocols["synthrad2025"].score(scan[0], scan[0], scan[0] == 0)


def test_the_same_images_got_numbers_far_apart_from_different_tools():
    """A phantom with air around it: protocol, mask and range move PSNR of one prediction by more than ten dB."""
    rng = np.random.default_rng(0)
    body = np.zeros((40, 64, 64), bool)
    body[4:36, 12:52, 12:52] = True
    reference = np.where(body, rng.normal(40, 120, body.shape), -1000.0)
    predicted = np.where(body, reference + rng.normal(0, 40, body.shape), -1000.0)
    masked = protocols["synthrad2025"].score(predicted, reference, body)["psnr"]
    whole = protocols["synthrad2025"].score(predicted, reference, np.ones_like(body))["psnr"]
    own_range = masked + 20 * np.log10((reference.max() - reference.min()) / 4095)
    assert whole - own_range > 10
