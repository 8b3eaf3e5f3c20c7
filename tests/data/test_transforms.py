import subprocess
import sys

import numpy as np
import pytest
import torch
from monai.transforms.intensity.dictionary import ScaleIntensityRanged
from monai.transforms.spatial.dictionary import Orientationd

from medp2p.body import find_body
from medp2p.data.cases import Case
from medp2p.data.geometry import PlaneGrid, to_planes
from medp2p.data.intensity import IntensityMap
from medp2p.data.loading import LoadedCase
from medp2p.data.planes import channel_planes
from medp2p.data.prepared import STEPS
from medp2p.data.transforms import prepare, tensor_of
from medp2p.regions import Regions
from medp2p.volume import Volume

from .configs import config_of
from .orders import orders_of

SHAPE = (12, 14, 6)


def scans(seed=0, affine=None):
    values = np.random.default_rng(seed)
    grid = np.diag([1.5, 1.5, 3.0, 1.0]) if affine is None else affine
    ct = values.integers(-1024, 3071, SHAPE).astype(np.int16)
    return {"mr": Volume(values.gamma(2.0, 200.0, SHAPE).astype(np.float32), grid), "ct": Volume(ct, grid)}


def loaded(volumes, regions=None, body=None):
    return LoadedCase(Case("S01", "S01", "train", {}), volumes, volumes, regions, body, {})


def as_stored(planes):
    return np.rint(planes * STEPS).astype(np.int16)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("spacing", [None, [1.0, 2.0]])
def test_training_prepares_a_scan_bit_for_bit_as_translation_does(plane, spacing):
    config = config_of("/scans", preparation={"plane": plane, "spacing_mm": spacing, "mask_outside_body": False})
    volumes = scans()
    made = prepare(loaded(volumes), config)
    grid = PlaneGrid.of(volumes["mr"], plane, spacing and tuple(spacing))
    for number, name in enumerate(("mr", "ct")):
        how = IntensityMap(**config.intensity[name].model_dump())
        expected = channel_planes(volumes[name].to_ras(), grid, how)
        assert np.array_equal(made.images[:, number], as_stored(expected))


def test_a_cohort_of_windows_alone_is_prepared():
    config = config_of("/scans", intensity={"mr": {"kind": "window", "low": 0, "high": 900}})
    volumes = scans()
    made = prepare(loaded(volumes), config)
    assert made.limits["mr"].high == 900
    assert made.images[:, 0].max() == STEPS


def test_one_case_in_48_orders_is_prepared_bit_for_bit_the_same():
    config = config_of("/scans", preparation={"spacing_mm": [1.1, 0.9]})
    volumes = scans()
    found = set()
    for mr, ct in zip(*(list(orders_of(volume.voxels, volume.spacing_mm)) for volume in volumes.values()), strict=True):
        found.add(prepare(loaded({"mr": mr, "ct": ct}), config).images.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_monais_window_gives_the_very_numbers_of_ours(dtype):
    voxels = (np.random.default_rng(0).normal(size=SHAPE) * 3000 + 4000).astype(dtype)
    theirs = ScaleIntensityRanged("ct", 100.0, 7000.0, b_min=-1.0, b_max=1.0, clip=True)(
        {"ct": tensor_of(voxels, np.eye(4))}
    )
    how = IntensityMap("window", 100.0, 7000.0)
    assert np.array_equal(theirs["ct"][0].numpy(), how.forward(voxels, how.fit(voxels)))


def test_monais_orientation_gives_the_very_arrays_of_ours_oblique_scans_too():
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    voxels = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    for volume in [
        *orders_of(voxels, (1.0, 2.0, 3.0)),
        Volume(voxels, np.block([[turn, np.ones((3, 1))], [0, 0, 0, 1]])),
    ]:
        theirs = Orientationd("mr", axcodes="RAS", labels=None)({"mr": tensor_of(volume.voxels, volume.affine)})["mr"]
        assert np.array_equal(theirs[0].numpy(), volume.to_ras())


def test_outside_the_body_the_target_is_the_low_end_and_the_source_as_scanned():
    body = np.zeros(SHAPE, bool)
    body[3:9, 3:9] = True
    config = config_of("/scans", preparation={"spacing_mm": None})
    volumes = scans()
    made, whole = (prepare(loaded(volumes, body=mask), config) for mask in (body, np.ones(SHAPE, bool)))
    inside = np.moveaxis(body, 2, 0).transpose(0, 2, 1)
    assert (made.images[:, 1][~inside] == -STEPS).all()
    assert np.array_equal(made.images[:, 1][inside], whole.images[:, 1][inside])
    assert np.array_equal(made.images[:, 0], whole.images[:, 0])


def test_a_body_without_a_mask_is_found_on_the_target():
    ct = np.full(SHAPE, -1000, np.int16)
    ct[3:9, 3:9] = 40
    ct[11, 13] = 900  # a part of the bed
    volumes = {"mr": scans()["mr"], "ct": Volume(ct, np.diag([1.5, 1.5, 3.0, 1.0]))}
    made = prepare(loaded(volumes), config_of("/scans", preparation={"spacing_mm": None}))
    found = made.images[:, 1] != -STEPS
    assert np.array_equal(found, np.moveaxis(find_body(ct, hu=True), 2, 0).transpose(0, 2, 1))


def test_a_target_in_which_no_body_stands_out_stays_as_it_is():
    volumes = scans() | {"ct": Volume(np.full(SHAPE, -800, np.int16), np.diag([1.5, 1.5, 3.0, 1.0]))}
    made = prepare(loaded(volumes), config_of("/scans"))
    assert (made.images[:, 1] > -STEPS).all()


def test_weights_follow_their_regions_and_overlapping_layers_give_the_largest():
    labels = np.zeros(SHAPE, np.uint8)
    labels[:6] = 1
    lesion = np.zeros(SHAPE, np.uint8)
    lesion[4:8] = 1
    affine = np.diag([1.5, 1.5, 3.0, 1.0])
    regions = Regions.combine(Regions(labels, affine, {1: "bone"}), Regions(lesion, affine, {1: "lesion"}))
    files = {"regions": ["bone.nii.gz", "lesion.nii.gz"]}
    config = config_of(
        "/scans", data={"files": files}, regions={"weights": {"bone": 4, "lesion": 10, "elsewhere": 3}},
        preparation={"spacing_mm": None},
    )  # fmt: skip
    made = prepare(loaded(scans(), regions), config)
    across = made.table[made.weights[0, 0]]
    assert across.tolist() == [4.0] * 4 + [10.0] * 4 + [1.0] * 4


def test_a_case_without_label_maps_weighs_the_same_everywhere():
    config = config_of("/scans", data={"files": {"regions": "r.nii.gz"}}, regions={"weights": {"bone": 4}})
    made = prepare(loaded(scans()), config)
    assert made.weights is None
    assert made.table.tolist() == [1.0]


def test_limits_are_those_of_the_whole_scan_before_it_is_resampled():
    volumes = scans()
    made = prepare(loaded(volumes), config_of("/scans"))
    assert (made.channels, made.spacing_mm) == (("mr", "ct"), (1.0, 1.0))
    assert (made.limits["mr"].low, made.limits["mr"].high) == pytest.approx(
        np.percentile(volumes["mr"].voxels.astype(np.float64), [0.5, 99.5]).tolist()
    )
    assert (made.limits["ct"].low, made.limits["ct"].high) == (-1024.0, 3071.0)


def test_weights_are_cut_into_planes_like_labels():
    weights = np.where(np.indices(SHAPE)[0] > 5, 4.0, 1.0).astype(np.float32)
    planes = to_planes(weights, PlaneGrid(SHAPE, (1.5, 1.5, 3.0), "axial", (1.0, 1.0)), nearest=True)
    assert set(np.unique(planes)) == {1.0, 4.0}


def test_preparing_leaves_random_states_as_they_were():
    np.random.seed(3)
    torch.manual_seed(3)
    before = (np.random.get_state()[1].tolist(), torch.get_rng_state())
    prepare(loaded(scans()), config_of("/scans"))
    assert np.random.get_state()[1].tolist() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


def test_nothing_that_translation_needs_of_this_room_imports_monai():
    names = "geometry framing intensity planes loading checks cohort store slices augmentation cases"
    imports = "; ".join(f"import medp2p.data.{name}" for name in names.split())
    code = f"{imports}; import sys; sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0
