import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor, nn

from medp2p.errors import GeometryError, RegionError
from medp2p.losses import adversarial_losses, adversarial_lsgan, adversarial_vanilla, region_weighted_l1

SHAPE = (2, 1, 3, 4)
IMAGES = arrays("float32", SHAPE, elements=st.floats(-1, 1, width=32)).map(torch.from_numpy)
WEIGHTS = arrays("float32", SHAPE, elements=st.just(0.0) | st.floats(2.0**-20, 100, width=32)).map(torch.from_numpy)


@given(predicted=IMAGES, target=IMAGES, weight=WEIGHTS)
def test_the_loss_is_the_weighted_mean_of_absolute_differences(
    predicted: Tensor, target: Tensor, weight: Tensor
) -> None:
    terms = (weight.double() * (predicted.double() - target.double()).abs()).sum().item()
    total = weight.double().sum().item()
    wanted = terms / total if total else 0.0
    assert region_weighted_l1(predicted, target, weight).item() == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@given(predicted=IMAGES, target=IMAGES, weight=st.floats(0.125, 1000, width=32))
def test_equal_weights_give_the_plain_l1(predicted: Tensor, target: Tensor, weight: float) -> None:
    found = region_weighted_l1(predicted, target, torch.full(SHAPE, weight))
    assert found.item() == pytest.approx(nn.L1Loss()(predicted, target).item(), rel=1e-5, abs=1e-7)


@given(predicted=IMAGES, target=IMAGES, damage=st.floats(-100, 100))
def test_a_voxel_of_weight_0_never_counts(predicted: Tensor, target: Tensor, damage: float) -> None:
    weight = torch.ones(SHAPE)
    weight[..., :2] = 0
    damaged = torch.where(weight > 0, predicted, damage)
    assert torch.equal(region_weighted_l1(predicted, target, weight), region_weighted_l1(damaged, target, weight))


def test_without_any_weight_the_loss_and_its_gradient_are_0() -> None:
    predicted = torch.rand(SHAPE).requires_grad_()
    loss = region_weighted_l1(predicted, torch.zeros(SHAPE), torch.zeros(SHAPE))
    loss.backward()
    assert loss.item() == 0
    assert not predicted.grad.any()


@pytest.mark.parametrize("shape", [(1,), (2, 1, 1, 1), (1, 1, 3, 4), (2, 1, 3, 4)])
def test_the_weight_is_broadcast_before_both_sums(shape: tuple[int, ...]) -> None:
    predicted, target = torch.rand(2, 3, 3, 4), torch.rand(2, 3, 3, 4)
    weight = torch.rand(shape)
    wanted = region_weighted_l1(predicted, target, weight.expand(2, 3, 3, 4).clone())
    torch.testing.assert_close(region_weighted_l1(predicted, target, weight), wanted)


def test_halves_of_a_batch_add_up_with_the_total_of_both() -> None:
    predicted, target, weight = torch.rand(3, 4, 1, 5, 5)
    halves = [
        region_weighted_l1(predicted[half], target[half], weight[half], total=weight.sum())
        for half in (slice(None, 1), slice(1, None))
    ]
    torch.testing.assert_close(sum(halves), region_weighted_l1(predicted, target, weight))


def test_narrow_images_are_summed_in_float32() -> None:
    predicted, target = torch.rand(2, 1, 1, 100, 100).to(torch.bfloat16)
    found = region_weighted_l1(predicted, target, torch.ones(1))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx((predicted.double() - target.double()).abs().mean().item(), rel=1e-5)


@pytest.mark.parametrize("bad", [-1e-6, math.nan, math.inf, -math.inf])
def test_a_weight_that_no_voxel_can_have_is_refused(bad: float) -> None:
    weight = torch.ones(SHAPE)
    weight[1, 0, 2, 3] = bad
    with pytest.raises(RegionError, match=r"weight: .*negative or not finite .*Fix: "):
        region_weighted_l1(torch.zeros(SHAPE), torch.zeros(SHAPE), weight)


@pytest.mark.parametrize(
    ("target", "weight", "message"),
    [((2, 2, 3, 4), SHAPE, "differ in shape"), (SHAPE, (3, 1, 3, 4), "does not fit"), (SHAPE, (1, 2, 1, 3, 4), "fit")],
)
def test_shapes_that_do_not_go_together_are_refused(target: tuple, weight: tuple, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        region_weighted_l1(torch.zeros(SHAPE), torch.zeros(target), torch.zeros(weight))


@pytest.mark.parametrize("real", [True, False])
def test_the_vanilla_loss_is_cross_entropy_with_logits(real: bool) -> None:
    logits = torch.linspace(-30, 30, 61, requires_grad=True)
    wanted = nn.BCEWithLogitsLoss()(logits, torch.full_like(logits, float(real)))
    found = adversarial_vanilla(logits, real)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (found, wanted)))


@pytest.mark.parametrize("real", [True, False])
def test_the_lsgan_loss_is_the_mean_square_against_the_answer(real: bool) -> None:
    logits = torch.linspace(-3, 3, 61)
    torch.testing.assert_close(adversarial_lsgan(logits, real), nn.MSELoss()(logits, torch.full_like(logits, real)))


@pytest.mark.parametrize("loss", adversarial_losses.values())
def test_a_better_answer_costs_less(loss: object) -> None:
    good, bad = torch.full((3,), 0.9), torch.full((3,), -0.5)
    assert loss(good, True) < loss(bad, True)
    assert loss(good, False) > loss(bad, False)
