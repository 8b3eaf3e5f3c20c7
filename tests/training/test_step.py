import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from medp2p.errors import ConfigError, GeometryError, RegionError, TrainingError
from medp2p.losses import region_weighted_l1
from medp2p.networks import build_discriminator, build_generator, reference_state_dict
from medp2p.training.step import Pix2PixUpdate, check_finite

from ..textbook import TEXTBOOK, peer  # noqa: TID252  # pytest imports by file, tests are no package

NAMES = {"loss_g", "loss_adversarial", "loss_l1", "loss_d", "loss_d_real", "loss_d_fake"}


def batch(seed: int = 0, size: int = 128) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    source, target = 2 * torch.rand(2, 2, 1, size, size, generator=generator) - 1
    return source, target, torch.ones(2, 1, size, size)


def networks(kind: str = "resnet_6", norm: str = "batch", *, dropout: bool = False) -> tuple[nn.Module, nn.Module]:
    options = {"channels": 8, "norm": norm}
    generator = build_generator(kind, in_channels=1, out_channels=1, dropout=dropout, seed=1, **options)
    return generator, build_discriminator("patch", in_channels=2, layers=2, seed=2, **options)


def small_update(**options: object) -> Pix2PixUpdate:
    return Pix2PixUpdate(*networks(), **options)


def weights(update: Pix2PixUpdate) -> list[Tensor]:
    states = (network.state_dict() for network in (update.generator, update.discriminator))
    return [tensor.clone() for state in states for tensor in state.values()]


def textbook_of(update: Pix2PixUpdate, kind: str, norm: str, **options: object) -> object:
    generator = TEXTBOOK[kind](in_channels=1, out_channels=1, channels=8, norm=norm, dropout=False)
    discriminator = peer.PatchDiscriminator(2, layers=2, channels=8, norm=norm)
    dtype = next(update.generator.parameters()).dtype
    generator.to(dtype).load_state_dict(reference_state_dict(update.generator))
    discriminator.to(dtype).load_state_dict(reference_state_dict(update.discriminator))
    return peer.Pix2Pix(generator, discriminator, **options)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("kind", ["unet_128", "resnet_6"])
def test_three_steps_have_the_losses_of_the_textbook(kind: str, norm: str) -> None:
    update = Pix2PixUpdate(*networks(kind, norm))
    other = textbook_of(update, kind, norm)
    for seed in range(3):
        source, target, weight = batch(seed)
        found = {name: loss.item() for name, loss in update(source, target, weight).items()}
        assert found == pytest.approx(other.step(source, target), rel=1e-4)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("kind", ["unet_128", "resnet_6"])
def test_three_steps_of_plain_descent_give_the_weights_of_the_textbook(kind: str, norm: str) -> None:
    both = (network.double() for network in networks(kind, norm))  # float32 differs by rounding, and L1 amplifies it
    update = Pix2PixUpdate(*both, optimizer=partial(torch.optim.SGD, lr=1e-3))
    other = textbook_of(update, kind, norm, optimizer=torch.optim.SGD, lr=1e-3)
    for seed in range(3):
        source, target, weight = (images.double() for images in batch(seed))
        update(source, target, weight)
        other.step(source, target)
    for own, theirs in ((update.generator, other.generator), (update.discriminator, other.discriminator)):
        for name, tensor in reference_state_dict(own).items():
            torch.testing.assert_close(tensor, theirs.state_dict()[name], rtol=0, atol=1e-9, msg=name)


def test_the_losses_are_those_of_the_contract_and_add_up() -> None:
    losses = small_update(adversarial_weight=0.5, l1_weight=7.0)(*batch())
    assert losses.keys() == NAMES
    assert not any(loss.requires_grad for loss in losses.values())
    torch.testing.assert_close(losses["loss_g"], 0.5 * losses["loss_adversarial"] + 7.0 * losses["loss_l1"])
    torch.testing.assert_close(losses["loss_d"], 0.5 * (losses["loss_d_real"] + losses["loss_d_fake"]))


def test_the_l1_of_a_step_is_weighted_by_region() -> None:
    source, target, weight = batch()
    weight[..., :40] = 9.0
    with torch.no_grad():
        predicted = networks()[0].train()(source)
    losses = small_update()(source, target, weight)
    torch.testing.assert_close(losses["loss_l1"], region_weighted_l1(predicted, target, weight))


def test_least_squares_pull_the_answers_towards_0_and_1() -> None:
    update = small_update(adversarial="lsgan")
    losses = [update(*batch())["loss_d"].item() for _ in range(12)]
    assert losses[-1] < 0.5 * losses[0]


def test_repeated_steps_on_one_batch_bring_the_prediction_nearer() -> None:
    update = small_update(learning_rate=2e-3)
    losses = [update(*batch())["loss_l1"].item() for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_step_in_bf16_is_near_that_in_fp32_and_keeps_weights_in_float32() -> None:
    wide, narrow = small_update(), small_update(precision="bf16")
    expected = {name: loss.item() for name, loss in wide(*batch()).items()}
    found = narrow(*batch())
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(expected, rel=0.05)
    assert all(loss.dtype == torch.float32 for loss in found.values())
    assert all(p.dtype == torch.float32 for n in (narrow.generator, narrow.discriminator) for p in n.parameters())


def test_the_discriminator_goes_first_and_learns_nothing_from_the_step_of_the_generator() -> None:
    update = small_update()
    moved = []
    update.optimizer_d.optimizer.register_step_post_hook(lambda *_: moved.append("discriminator"))
    update.optimizer_g.optimizer.register_step_post_hook(lambda *_: moved.append("generator"))
    gradients = []

    def backward(loss: Tensor) -> None:
        loss.backward()
        gradients.append([p.grad.clone() for p in update.discriminator.parameters()])

    update.backward = backward
    update(*batch())
    assert moved == ["discriminator", "generator"]
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))
    assert all(p.requires_grad for p in update.discriminator.parameters())


def test_the_backward_that_is_given_runs_both_losses() -> None:
    seen = []

    def backward(loss: Tensor) -> None:
        seen.append(loss.item())
        loss.backward()

    losses = small_update(backward=backward)(*batch())
    assert seen == [losses["loss_d"].item(), losses["loss_g"].item()]


@pytest.mark.parametrize("dropout", [True, False])
def test_going_on_from_saved_states_is_exact(dropout: bool) -> None:
    update = Pix2PixUpdate(*networks(dropout=dropout), precision="bf16")
    torch.manual_seed(5)
    update(*batch(0))
    states = [network.state_dict() for network in (update.generator, update.discriminator)]
    saved = [{key: tensor.clone() for key, tensor in state.items()} for state in states]
    optimisers = torch.load(_saved(update.state_dict()), weights_only=True)
    random = torch.get_rng_state()
    update(*batch(1))

    generator, discriminator = networks(dropout=dropout)
    generator.load_state_dict(saved[0])
    discriminator.load_state_dict(saved[1])
    again = Pix2PixUpdate(generator, discriminator, precision="bf16", learning_rate=1.0)
    again.load_state_dict(optimisers)
    torch.set_rng_state(random)
    again(*batch(1))
    assert all(torch.equal(*pair) for pair in zip(weights(update), weights(again), strict=True))


def _saved(state: object) -> object:
    from io import BytesIO

    file = BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


def test_a_learning_rate_of_0_moves_no_weight() -> None:
    update = small_update()
    update.set_learning_rate(0.0)
    before = [p.clone() for p in update.generator.parameters()]
    update(*batch())
    assert all(torch.equal(*pair) for pair in zip(before, update.generator.parameters(), strict=True))


@pytest.mark.parametrize("bad", [-1.0, math.nan])
def test_a_bad_weight_is_refused_before_anything_moves(bad: float) -> None:
    update = small_update()
    before = weights(update)
    source, target, weight = batch()
    weight[0, 0, 3, 3] = bad
    with pytest.raises(RegionError):
        update(source, target, weight)
    assert all(torch.equal(*pair) for pair in zip(before, weights(update), strict=True))


@pytest.mark.parametrize("part", ["source", "target", "weight"])
def test_what_does_not_lie_on_the_rest_is_refused_before_anything_moves(part: str) -> None:
    update = small_update()
    before = weights(update)
    slices = dict(zip(("source", "target", "weight"), batch(), strict=True))
    slices[part] = slices[part][:, 0] if part == "source" else slices[part][..., :120]
    with pytest.raises(GeometryError, match="weight does not fit" if part == "weight" else "no slices of one size"):
        update(**slices)
    assert all(torch.equal(*pair) for pair in zip(before, weights(update), strict=True))


def test_a_step_that_fails_half_way_leaves_a_discriminator_that_learns() -> None:
    update = small_update()
    runs = iter((Tensor.backward, None, Tensor.backward, Tensor.backward))
    update.backward = lambda loss: next(runs)(loss)
    with pytest.raises(TypeError, match="not callable"):
        update(*batch())
    before = [parameter.clone() for parameter in update.discriminator.parameters()]
    update(*batch())
    assert not all(torch.equal(*pair) for pair in zip(before, update.discriminator.parameters(), strict=True))


def test_an_update_trains_networks_that_were_evaluating() -> None:
    update = small_update()
    update.generator.eval()
    update(*batch())
    assert update.generator.training


@pytest.mark.parametrize("options", [{"adversarial": "wgan"}, {"precision": "fp16"}])
def test_an_unknown_loss_or_precision_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"(loss\.adversarial|training\.precision): there is none of that name"):
        small_update(**options)


def test_every_loss_that_is_not_finite_is_named() -> None:
    losses = {"loss_g": torch.tensor(math.nan), "loss_l1": torch.tensor(0.1), "loss_d": torch.tensor(math.inf)}
    with pytest.raises(TrainingError, match=r"diverged at epoch 3 .*loss_g = nan, loss_d = inf, .*Fix"):
        check_finite(losses, where="epoch 3")


def test_finite_losses_pass() -> None:
    check_finite({"loss_g": torch.tensor(3.0), "loss_d": 0.1}, where="epoch 1")
