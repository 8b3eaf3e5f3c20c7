"""Translator: from scan to scan, on exactly the scan's grid."""

import threading
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
import torch

from medp2p.errors import ConfigError, GeometryError, ModelError
from medp2p.translation.description import Architecture, ChannelMap, Preparation
from medp2p.translation.translator import Translator
from medp2p.volume import Header, Volume
from tests.translation.conftest import CT, MR, description, save

ORDERS = [(order, flips) for order in permutations(range(3)) for flips in product((1, -1), repeat=3)]
OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.1, -0.2, 0.15) @ np.diag([1.5, 1.25, 3.0]), [-40.0, 12.5, 7.0]
)


def scan(shape=(25, 31, 5), affine=OBLIQUE, seed=0) -> Volume:
    smooth = np.random.default_rng(seed).normal(size=shape).cumsum(axis=0).cumsum(axis=1)
    return Volume((1000 + 10 * smooth).astype(np.int16), affine)


def stored(volume: Volume, order, flips) -> Volume:
    ornt = np.stack([np.argsort(order), np.asarray(flips)[np.argsort(order)]], axis=1)
    voxels = nib.orientations.apply_orientation(volume.voxels, ornt)
    return Volume(voxels, volume.affine @ nib.orientations.inv_ornt_aff(ornt, volume.shape))


@pytest.fixture
def translator(model) -> Translator:
    return Translator.load(model, device="cpu")


def test_the_prediction_has_the_grid_and_the_header_of_the_scan(translator) -> None:
    header = Header(sform=OBLIQUE, sform_code=2, qform=OBLIQUE, qform_code=1, time_unit="sec")
    given = Volume(scan().voxels, OBLIQUE, header=header)
    predicted = translator(given)
    assert predicted.same_grid(given)
    assert predicted.header is header


def test_a_predicted_ct_is_whole_hu_within_its_window(translator) -> None:
    predicted = translator(scan())
    assert predicted.voxels.dtype == np.int16
    assert predicted.voxels.min() >= CT.low
    assert predicted.voxels.max() <= CT.high
    assert np.ptp(predicted.voxels) > 100


@pytest.mark.slow
def test_all_48_storage_orders_of_a_scan_give_bitwise_one_prediction(translator) -> None:
    wanted = translator(scan()).to_ras()
    for order, flips in ORDERS:
        other = stored(scan(), order, flips)
        predicted = translator(other)
        assert predicted.same_grid(other)
        np.testing.assert_array_equal(predicted.to_ras(), wanted)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("shape", [(25, 31, 5), (1, 31, 5), (25, 1, 1), (1, 1, 1), (64, 8, 33)])
@pytest.mark.parametrize("context", [0, 1])
def test_every_plane_and_shape_comes_back_whole(tmp_path, plane, shape, context) -> None:
    preparation = Preparation(plane=plane, spacing_mm=(2.0, 2.0), context_slices=context)
    translator = Translator.load(save(tmp_path, description(preparation=preparation)), device="cpu")
    given = scan(shape)
    assert translator(given).same_grid(given)


def test_the_number_of_slices_at_once_changes_nothing(model, tmp_path) -> None:
    preparation = Preparation(plane="axial", spacing_mm=(2.0, 2.0), context_slices=2)
    path = save(tmp_path, description(preparation=preparation, targets=("t2",), intensity={
        "mr": MR, "t2": MR.model_copy(update={"limits": (0.0, 1000.0)})}))  # fmt: skip
    one, many = (Translator.load(path, device="cpu", batch_size=size)(scan()) for size in (1, 7))
    np.testing.assert_allclose(one.voxels, many.voxels, atol=1e-3)
    assert one.voxels.dtype == np.float32


def test_several_sources_and_targets_go_by_name(tmp_path) -> None:
    said = description(
        sources=("t1", "t2"),
        targets=("ct", "flair"),
        files={name: f"{name}.nii.gz" for name in ("t1", "t2", "ct", "flair")},
        intensity={"t1": MR, "t2": MR, "ct": CT, "flair": MR.model_copy(update={"limits": (0.0, 900.0)})},
    )
    translator = Translator.load(save(tmp_path, said), device="cpu")
    given = {"t2": scan(seed=1), "t1": scan(seed=2)}
    predicted = translator.translate_all(given)
    assert [predicted[name].voxels.dtype for name in ("ct", "flair")] == [np.int16, np.float32]
    swapped = translator.translate_all({"t1": given["t2"], "t2": given["t1"]})
    assert not np.array_equal(swapped["ct"].voxels, predicted["ct"].voxels)
    with pytest.raises(ModelError, match="several targets"):
        translator(given)


@pytest.mark.parametrize("given", [{}, {"mr": scan(), "ct": scan()}, {"t1": scan()}])
def test_channels_that_are_not_the_models_are_refused(translator, given) -> None:
    with pytest.raises(GeometryError, match="channels are not those"):
        translator(given)


def test_channels_on_different_grids_are_refused(tmp_path) -> None:
    said = description(
        sources=("t1", "t2"), files={n: n for n in ("t1", "t2", "ct")}, intensity={"t1": MR, "t2": MR, "ct": CT}
    )
    translator = Translator.load(save(tmp_path, said), device="cpu")
    with pytest.raises(GeometryError, match="another grid"):
        translator({"t1": scan(), "t2": scan(affine=np.diag([1.5, 1.25, 3.0, 1.0]))})


def test_a_constant_scan_gives_a_finite_answer_and_a_warning(translator, caplog) -> None:
    given = Volume(np.full((16, 16, 2), 7, np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))
    assert np.isfinite(translator(given).voxels).all()
    assert "constant" in caplog.text


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(7, 7, "mr is constant"), (0, 1, "values from 0 to 1, and the model sees those between 100 and 2000 alone"),
     (2000, 9000, "values from 2000 to 9000"), (0, 1000, None)],
)  # fmt: skip
def test_a_scan_of_which_a_window_shows_nothing_is_told(tmp_path, caplog, low, high, said) -> None:
    window = ChannelMap(kind="window", low=100.0, high=2000.0, hu=False)
    translator = Translator.load(save(tmp_path, description(intensity={"mr": window, "ct": CT})), device="cpu")
    given = np.full((16, 16, 2), low, np.int16)
    given[8:] = high
    assert np.isfinite(translator(Volume(given, np.diag([2.0, 2.0, 2.0, 1.0]))).voxels).all()
    assert said in caplog.text if said else caplog.text == ""


@pytest.mark.parametrize("given", ["mr.nii.gz", np.zeros((16, 16, 2)), {"mr": np.zeros((16, 16, 2))}])
def test_what_is_no_volume_is_refused_with_what_makes_one(translator, given) -> None:
    with pytest.raises(GeometryError, match=r"mr is no Volume \(found (str|ndarray)\).*read_volume"):
        translator(given)


def test_a_precision_that_is_none_is_refused(model) -> None:
    with pytest.raises(ConfigError, match="no such precision"):
        Translator.load(model, device="cpu", precision="fp16")


def test_it_can_be_called_from_several_threads(translator) -> None:
    wanted = [translator(scan(seed=seed)).voxels for seed in (1, 2)]
    found = [None, None]

    def work(place: int) -> None:
        found[place] = translator(scan(seed=place + 1)).voxels

    threads = [threading.Thread(target=work, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for place in (0, 1):
        np.testing.assert_array_equal(found[place], wanted[place])


def test_progress_tells_slices_done_of_all(translator) -> None:
    told = []
    translator(scan(), progress=lambda done, total, what: told.append((done, total, what)))
    assert told[-1] == (5, 5, "translating")


def test_bf16_differs_from_fp32_by_little_and_says_so_in_its_type(model) -> None:
    exact, narrow = (Translator.load(model, device="cpu", precision=name) for name in ("fp32", "bf16"))
    apart = np.abs(exact(scan()).voxels.astype(float) - narrow(scan()).voxels)
    assert (exact.precision, narrow.precision) == ("fp32", "bf16")
    assert 0 < apart.mean() < 30


def test_the_references_habit_gives_one_answer_and_another_one(tmp_path) -> None:
    def made(habit: str, folder: str, batch_size: int | None = None) -> np.ndarray:
        said = description(generator=Architecture(kind="unet_128", channels=4, norm="batch", dropout=True), habit=habit)
        (tmp_path / folder).mkdir()
        translator = Translator.load(save(tmp_path / folder, said), device="cpu", batch_size=batch_size)
        state = torch.random.get_rng_state()
        voxels = translator(scan()).voxels
        assert torch.equal(state, torch.random.get_rng_state())
        return voxels

    np.testing.assert_array_equal(made("training", "a"), made("training", "b", batch_size=4))
    assert not np.array_equal(made("training", "c"), made("evaluation", "d"))


def test_a_device_that_is_not_there_is_refused(model) -> None:
    absent = "cuda:7" if not torch.cuda.is_available() else "mps"
    with pytest.raises(ConfigError, match=absent):
        Translator.load(model, device=absent)


def test_the_random_state_of_the_host_is_left_alone(translator) -> None:
    before = torch.random.get_rng_state()
    translator(scan())
    assert torch.equal(torch.random.get_rng_state(), before)
