import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medp2p.evaluation.metrics import psnr_of
from medp2p.evaluation.one_pass import View, sums_of
from medp2p.evaluation.scored_region import of_labels, of_mask
from medp2p.evaluation.tiling import tiles
from medp2p.regions import Regions

from . import oracles
from .pairs import make_pair

CT = View(-1024, 3071, 4095)


def scored(pair, masks, view=CT, threads=None):
    regions = [of_mask(name, mask) for name, mask in masks.items()]
    return dict(zip(masks, sums_of(pair.predicted, pair.reference, regions, view, threads=threads), strict=True))


def test_every_region_has_the_errors_of_the_formulae(pair):
    for name, sums in scored(pair, pair.masks).items():
        mae, me = oracles.errors(pair.predicted, pair.reference, pair.masks[name])
        assert sums.voxels == np.count_nonzero(pair.masks[name])
        assert sums.absolute / sums.voxels == pytest.approx(mae, rel=1e-13)
        assert sums.signed / sums.voxels == pytest.approx(me, rel=1e-10)


def test_every_region_has_the_psnr_of_scikit_image(pair):
    for name, sums in scored(pair, pair.masks).items():
        wanted = oracles.psnr(pair.predicted, pair.reference, pair.masks[name], -1024, 3071)
        assert psnr_of(sums.squared / sums.voxels, 4095) == pytest.approx(wanted, rel=1e-13)


def test_every_region_has_the_masked_ssim_of_float64_scikit_image(pair):
    for name, sums in scored(pair, pair.masks).items():
        wanted = oracles.masked_ssim(pair.predicted, pair.reference, pair.masks[name], -1024, 3071)
        assert abs(sums.similarity / sums.windows - wanted) < 1e-12


def test_every_region_has_the_masked_ssim_of_sums_over_windows():
    pair = make_pair((12, 13, 11), seed=5)
    for name, sums in scored(pair, pair.masks).items():
        wanted = oracles.direct_ssim(pair.predicted, pair.reference, pair.masks[name], -1024, 3071)
        assert abs(sums.similarity / sums.windows - wanted) < 1e-12


def test_the_mean_over_a_region_of_the_whole_map_is_another_number_and_right_too(pair):
    from skimage.metrics import structural_similarity

    whole = View(-np.inf, np.inf, 4095, masked=False)
    first, second = pair.reference.astype(float), pair.predicted.astype(float)
    _, wanted = structural_similarity(first, second, data_range=4095, full=True)
    crop = (slice(3, -3),) * 3
    for name, sums in scored(pair, pair.masks, whole).items():
        assert abs(sums.similarity / sums.windows - wanted[crop][pair.masks[name][crop]].mean()) < 1e-12


def test_a_stack_thinner_than_the_window_has_errors_and_no_ssim():
    sums = scored(make_pair((64, 64, 5)), {"all": np.ones((64, 64, 5), bool)})["all"]
    assert sums.voxels == 64 * 64 * 5
    assert sums.windows == 0


def test_threads_change_no_bit(pair):
    assert scored(pair, pair.masks, threads=1) == scored(pair, pair.masks, threads=3)


def test_regions_are_scored_one_by_one_and_together_alike(pair):
    together = scored(pair, pair.masks)
    assert together == {name: scored(pair, {name: mask})[name] for name, mask in pair.masks.items()}


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(7, 40)] * 3), st.integers(0, 1000), st.sampled_from("CF"))
def test_any_shape_in_any_order_equals_scikit_image(shape, seed, order):
    pair = make_pair(shape, order, seed)
    sums = scored(pair, {"speckle": pair.masks["speckle"]})["speckle"]
    counted = np.count_nonzero(pair.masks["speckle"][3:-3, 3:-3, 3:-3])
    assert sums.windows == counted
    wanted = counted and oracles.masked_ssim(pair.predicted, pair.reference, pair.masks["speckle"], -1024, 3071)
    assert abs(sums.similarity - counted * wanted) < 1e-12 * max(counted, 1)


@given(st.tuples(*[st.integers(1, 80)] * 3))
def test_tiles_cover_every_voxel_once(shape):
    seen = np.zeros(shape, int)
    for tile in tiles(tuple(slice(0, n) for n in shape), (17, 32, 23)):
        seen[tile] += 1
    assert (seen == 1).all()


def test_labels_score_like_their_masks(pair):
    labels = np.zeros(pair.reference.shape, np.uint8)
    labels[2:5, 1:4], labels[5:, 2:], labels[1, 1, 1] = 1, 2, 7
    regions = Regions(labels, np.eye(4), {1: "a", 2: "b", 3: "none", 7: "dot"}, groups={"ab": ["a", "b"]})
    body = pair.masks["box"]
    found = list(of_labels(regions, body))
    sums = sums_of(pair.predicted, pair.reference, found, CT)
    for region, of_label in zip(found, sums, strict=True):
        assert of_label == scored(pair, {"it": regions.mask(region.name) & body})["it"]
    assert [region.label for region in found] == [1, 2, 3, 7, None]
    assert found[2].box is None


def test_very_large_labels_are_found():
    labels = np.zeros((8, 8, 8), np.int32)
    labels[1:3], labels[5:7, 2:4] = 2**31 - 1, 70_000
    found = {r.name: r for r in of_labels(Regions(labels, np.eye(4), {2**31 - 1: "far", 70_000: "near"}), None)}
    assert found["far"].box == (slice(1, 3), slice(0, 8), slice(0, 8))
    assert found["near"].box == (slice(5, 7), slice(2, 4), slice(0, 8))


@given(st.tuples(*[st.integers(1, 9)] * 3), st.integers(1, 5), st.integers(0, 99), st.sampled_from("CF"))
def test_boxes_of_labels_are_those_of_scipy(shape, largest, seed, order):
    from scipy.ndimage import find_objects

    labels = np.asarray(np.random.default_rng(seed).integers(0, largest, shape).astype(np.uint8), order=order)
    labels[labels == 2] = 0
    wanted = {label: box for label, box in enumerate(find_objects(labels), start=1) if box is not None}
    names = {label: str(label) for label in range(1, 6)}
    found = {r.label: r.box for r in of_labels(Regions(labels, np.eye(4), names), None) if r.box is not None}
    assert found == wanted
