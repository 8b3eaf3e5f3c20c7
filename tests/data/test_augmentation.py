import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medp2p.data.augmentation import Augmentation, Changes, change

SOME = Augmentation(flip=0.5, rotate_degrees=15.0, scale=0.1, translate=0.1)


def picture(batch=3, channels=1, size=(24, 32), seed=0):
    return torch.rand((batch, channels, *size), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def changes(flip=False, degrees=0.0, scale=1.0, down=0.0, right=0.0, tallness=1.0):
    return Changes(
        torch.tensor([flip]),
        torch.deg2rad(torch.tensor([degrees])),
        torch.tensor([scale]),
        torch.tensor([[down, right]]),
        torch.tensor([tallness]),
    )


def apply(image, **how):
    return change(image, image, torch.ones_like(image[:, :1]), changes(**how))


def test_with_zeros_nothing_is_done_at_all():
    source, target, weight = picture(), picture(seed=1), torch.ones(3, 1, 24, 32)
    done = Augmentation()(source, target, weight, seed=0, epoch=1, indices=[0, 1, 2])
    assert all(after is before for after, before in zip(done, (source, target, weight), strict=True))


def test_flips_are_exact_and_the_same_for_source_target_and_weight():
    source = picture(batch=40)
    done = Augmentation(flip=0.5)(source, source, source, seed=0, epoch=1, indices=range(40))
    flipped = [torch.equal(after, before.flip(-1)) for after, before in zip(done[0], source, strict=True)]
    kept = [torch.equal(after, before) for after, before in zip(done[0], source, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert 10 < sum(flipped) < 30
    assert torch.equal(done[0], done[1])
    assert torch.equal(done[0], done[2])


@given(st.integers(0, 2**32 - 1), st.integers(0, 500), st.lists(st.integers(0, 10**6), min_size=2, max_size=6))
def test_a_slices_changes_do_not_depend_on_the_batch_it_is_in(seed, epoch, indices):
    together = SOME.draw(seed=seed, epoch=epoch, indices=indices)
    alone = SOME.draw(seed=seed, epoch=epoch, indices=indices[-1:])
    assert together.radians[-1] == alone.radians[0]
    assert torch.equal(together.shift[-1], alone.shift[0])
    assert (together.flip[-1], together.scale[-1]) == (alone.flip[0], alone.scale[0])


@given(st.integers(0, 2**32 - 1))
def test_changes_stay_within_what_their_keys_say(seed):
    drawn = Augmentation(1.0, 30.0, 0.2, 0.05).draw(seed=seed, epoch=0, indices=range(20))
    assert drawn.flip.all()
    assert torch.rad2deg(drawn.radians).abs().max() <= 30.001
    assert (drawn.scale - 1).abs().max() <= 0.2001
    assert drawn.shift.abs().max() <= 0.0501


def test_changes_differ_from_epoch_to_epoch():
    angles = [SOME.draw(seed=0, epoch=epoch, indices=[0]).radians.item() for epoch in range(5)]
    assert len(set(angles)) == 5


def test_a_shift_by_whole_pixels_moves_the_picture_and_brings_in_the_low_end_without_weight():
    image = picture(batch=1)
    moved, _, weight = apply(image, down=6 / 24, right=8 / 32)
    assert moved[..., 6:, 8:] == pytest.approx(image[..., :-6, :-8], abs=1e-5)
    assert (moved[..., :6, :] == -1).all()
    assert (weight[..., :6, :] == 0).all()
    assert (weight[..., 6:, 8:] == 1).all()


def test_a_quarter_turn_turns_what_was_left_to_the_top_whatever_the_shape():
    image = torch.full((1, 1, 24, 32), -1.0)
    image[..., 10:14, 4:8] = 1.0  # left of the middle
    turned, *_ = apply(image, degrees=90.0)
    rows, columns = torch.nonzero(turned[0, 0] > 0.5, as_tuple=True)
    assert len(rows) == 16
    middle = (columns.float().mean().item(), rows.float().mean().item())
    assert middle == pytest.approx((15.5, 1.5), abs=0.1)


def test_turning_keeps_lengths_in_millimetres_where_pixels_are_not_square():
    image = torch.full((1, 1, 24, 64), -1.0)
    image[..., 11:13, 8:32] = 1.0  # 24 mm to the left of the middle, 6 mm thick
    turned, *_ = apply(image, degrees=90.0, tallness=3.0)
    rows, columns = torch.nonzero(turned[0, 0] > 0, as_tuple=True)
    assert (rows.min().item(), rows.max().item()) == (4, 11)
    assert (columns.min().item(), columns.max().item()) == (29, 34)


def test_a_scale_above_one_enlarges_about_the_middle():
    image = torch.full((1, 1, 32, 32), -1.0)
    image[..., 12:20, 12:20] = 1.0
    grown, *_ = apply(image, scale=1.5)
    assert (grown[0, 0] > 0).sum().item() == pytest.approx(144, rel=0.1)
    assert grown[0, 0] == pytest.approx(grown[0, 0].flip(0), abs=1e-4)


def test_a_flip_comes_before_the_picture_is_moved():
    image = picture(batch=1)
    both, *_ = apply(image, flip=True, down=3 / 24, right=4 / 32)
    moved, *_ = apply(image.flip(-1), down=3 / 24, right=4 / 32)
    assert both == pytest.approx(moved, abs=1e-5)


def test_weights_never_take_a_value_between_those_there_are():
    weight = (picture(batch=2) > 0).float() * 4
    done = SOME(picture(2), picture(2), weight, seed=1, epoch=1, indices=[0, 1])[2]
    assert set(done.unique().tolist()) <= {0.0, 4.0}


def test_source_and_target_move_together():
    image = picture(batch=4)
    source, target, _ = SOME(image, image, torch.ones(4, 1, 24, 32), seed=0, epoch=1, indices=range(4))
    assert torch.equal(source, target)


@given(st.integers(0, 10**6))
def test_no_value_leaves_the_range_of_a_network(seed):
    image = picture(batch=2, size=(8, 8))
    source, *_ = SOME(image, image, torch.ones(2, 1, 8, 8), seed=seed, epoch=0, indices=[0, 1])
    assert source.abs().max() <= 1.0 + 1e-6
