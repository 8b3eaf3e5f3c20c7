import threading

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medp2p.data.augmentation import Augmentation
from medp2p.data.prepared import STEPS
from medp2p.data.slices import SliceIndex, SliceLoader

from .prepared_cases import prepared, stored

USUAL = {"sources": 1, "size": (6, 5), "batch_size": 4, "seed": 0}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    return [stored(folder, f"S0{n}", count=n + 2, seed=n) for n in range(3)]


def numbers_of(batches):
    return [batch.indices for batch in batches]


def same(first, second):
    return all(torch.equal(getattr(first, part), getattr(second, part)) for part in ("source", "target", "weight"))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_every_number_is_one_slice_of_one_case(counts):
    index = SliceIndex(counts)
    places = [index.place(number) for number in range(len(index))]
    assert places == [(case, slice_) for case, count in enumerate(counts) for slice_ in range(count)]


def test_an_epoch_sees_every_slice_once_and_the_last_batch_is_smaller(cohort):
    batches = list(SliceLoader(cohort, **USUAL).batches(1))
    assert sorted(sum(numbers_of(batches), ())) == list(range(9))
    assert [len(batch.indices) for batch in batches] == [4, 4, 1]
    assert [batch.count for batch in batches] == [4, 4, 1]


def test_slices_are_the_stored_planes_with_the_name_of_their_case(cohort):
    for batch in SliceLoader(cohort, **USUAL).batches(1):
        for row, (case, number) in enumerate(zip(batch.cases, batch.indices, strict=True)):
            which, slice_ = SliceIndex([2, 3, 4]).place(number)
            expected = cohort[which].open()[0][slice_] / np.float32(STEPS)
            assert case == f"S0{which}"
            assert np.array_equal(batch.source[row, 0], expected[0])
            assert np.array_equal(batch.target[row, 0], expected[1])
            assert (batch.weight[row] == 1).all()


def test_a_batch_larger_than_the_data_still_takes_a_step(cohort):
    loader = SliceLoader(cohort, **(USUAL | {"batch_size": 100}))
    assert loader.steps == 1
    assert [len(batch.indices) for batch in loader.batches(1)] == [9]


@given(st.integers(0, 2))
def test_an_epoch_goes_on_exactly_where_it_stopped(cohort, step):
    loader = SliceLoader(cohort, **(USUAL | {"size": (4, 3)}), augmentation=Augmentation(0.5, 20.0, 0.1, 0.1))
    whole, rest = list(loader.batches(3)), list(loader.batches(3, start_step=step))
    assert all(same(a, b) for a, b in zip(whole[step:], rest, strict=True))


def test_batches_do_not_depend_on_how_many_are_made_ahead_nor_on_earlier_epochs(cohort):
    how = USUAL | {"size": (4, 3)}
    one, other = SliceLoader(cohort, **how, ahead=0), SliceLoader(cohort, **how, ahead=5)
    list(other.batches(1))
    assert all(same(a, b) for a, b in zip(one.batches(2), other.batches(2), strict=True))


def test_each_epoch_has_an_order_and_cuts_of_its_own(cohort):
    loader = SliceLoader(cohort, **(USUAL | {"size": (3, 3), "batch_size": 9}))
    first, second = next(loader.batches(1)), next(loader.batches(2))
    assert first.indices != second.indices
    of_slice_0 = [batch.source[batch.indices.index(0)] for batch in (first, second)]
    assert not torch.equal(*of_slice_0)


def test_cuts_reach_every_part_of_a_wide_plane(cohort):
    loader = SliceLoader(cohort, **(USUAL | {"size": (3, 3), "batch_size": 9}))
    plane = cohort[0].open()[0][0, 0] / np.float32(STEPS)
    seen = np.zeros(plane.shape, bool)
    for epoch in range(60):
        batch = next(loader.batches(epoch))
        seen |= np.isin(plane, batch.source[batch.indices.index(0)].numpy())
    assert seen.all()


def test_source_target_and_weight_are_cut_at_the_same_place(tmp_path):
    ramp = np.linspace(-1, 1, 90, dtype=np.float32).reshape(1, 9, 10)
    weights = (ramp > 0).astype(np.float32)
    made = prepared(1, (9, 10))
    images = np.rint(np.stack([ramp, ramp], 1) * STEPS).astype(np.int16)
    entry = stored(tmp_path, count=1, size=(9, 10), weights=weights)
    assert made.images.shape == images.shape
    batch = next(SliceLoader([entry], **(USUAL | {"size": (4, 4)})).batches(1))
    source = entry.open()[0][0, 0] / np.float32(STEPS)
    row, column = (int(n[0]) for n in np.nonzero(source == batch.source[0, 0, 0, 0].numpy()))
    assert np.array_equal(batch.weight[0, 0], weights[0, row : row + 4, column : column + 4])
    target = entry.open()[0][0, 1] / np.float32(STEPS)
    assert np.array_equal(batch.target[0, 0], target[row : row + 4, column : column + 4])


def test_what_is_padded_holds_the_low_end_and_weighs_nothing(cohort):
    batch = next(SliceLoader(cohort, **(USUAL | {"size": (8, 9)})).batches(1))
    inside = np.zeros((8, 9), bool)
    inside[1:7, 2:7] = True
    for part, outside in ((batch.source, -1.0), (batch.target, -1.0), (batch.weight, 0.0)):
        assert (part[:, :, ~inside] == outside).all()
    assert (batch.weight[:, :, inside] == 1).all()


def test_neighbours_come_as_further_channels_and_the_ends_are_repeated(cohort):
    loader = SliceLoader(cohort, **(USUAL | {"batch_size": 9}), context=1)
    batch = next(loader.batches(1))
    planes = cohort[2].open()[0][:, 0] / np.float32(STEPS)
    assert batch.source.shape == (9, 3, 6, 5)
    assert np.array_equal(batch.source[batch.indices.index(5)], planes[[0, 0, 1]])
    assert np.array_equal(batch.source[batch.indices.index(8)], planes[[2, 3, 3]])


@pytest.mark.parametrize("world_size", [2, 3])
def test_devices_share_each_batch_and_get_equally_many_slices(cohort, world_size):
    how = USUAL | {"batch_size": 6}
    parts = [
        list(SliceLoader(cohort, **how, rank=rank, world_size=world_size).batches(1)) for rank in range(world_size)
    ]
    whole = numbers_of(SliceLoader(cohort, **how).batches(1))
    for step, share in enumerate(zip(*parts, strict=True)):
        assert len({len(batch.indices) for batch in share}) == 1
        assert {batch.count for batch in share} == {sum(len(batch.indices) for batch in share)}
        assert {number for batch in share for number in batch.indices} <= set(whole[step])
    assert {number for batch in parts[0] for number in batch.indices}.isdisjoint(sum(numbers_of(parts[1]), ()))


def test_more_devices_than_slices_still_take_a_step(tmp_path):
    entry = stored(tmp_path, count=1)
    loaders = [SliceLoader([entry], **USUAL, rank=rank, world_size=2) for rank in range(2)]
    assert [numbers_of(loader.batches(1)) for loader in loaders] == [[(0,)], [(0,)]]


def test_slices_without_weight_are_counted(tmp_path):
    weights = np.ones((3, 6, 5), np.float32)
    weights[1] = 0
    assert SliceLoader([stored(tmp_path, weights=weights)], **USUAL).weightless == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ahead=st.integers(0, 3))
def test_leaving_an_epoch_early_leaves_no_thread_behind(cohort, ahead):
    batches = SliceLoader(cohort, **USUAL, ahead=ahead).batches(1)
    next(batches)
    batches.close()
    assert not any(thread.name.startswith("medp2p-slices") for thread in threading.enumerate())


def test_the_shape_of_pixels_comes_with_each_slice(tmp_path):
    entry = stored(tmp_path, count=2, spacing_mm=(3.0, 1.5))
    assert next(SliceLoader([entry], **USUAL).batches(1)).tallness == (2.0, 2.0)


def test_no_more_than_32_files_are_open_at_once(tmp_path, monkeypatch):
    entries = [stored(tmp_path, f"S{n:03}", count=1, seed=n) for n in range(40)]
    loader = SliceLoader(entries, **USUAL)
    assert len(list(loader.batches(1))) == 10
    assert loader._open.cache_info().currsize == 32


def test_no_slices_or_a_batch_that_devices_do_not_divide_is_a_mistake_of_the_caller(cohort):
    with pytest.raises(ValueError, match="0 slices"):
        SliceLoader([], **USUAL)
    with pytest.raises(ValueError, match="batches of 4"):
        SliceLoader(cohort, **USUAL, world_size=3)
