from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from medp2p.errors import TrainingError
from medp2p.networks import build_discriminator
from medp2p.training.optimiser import DenseOptimizer, adam

USUAL, CHANNELS_LAST = torch.contiguous_format, torch.channels_last


def layers() -> nn.Module:
    return build_discriminator("patch", in_channels=1, channels=4, layers=2, seed=3)


def drawn_like(parameter: Tensor, seed: int, order: torch.memory_format) -> Tensor:
    gradient = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed))
    return gradient.contiguous(memory_format=order) if gradient.ndim == 4 else gradient


def moved(optimizer: object, network: nn.Module, seeds: range, order: torch.memory_format = USUAL) -> list[Tensor]:
    for seed in seeds:
        for parameter in network.parameters():
            parameter.grad = drawn_like(parameter, seed, order)
        optimizer.step()
    return [parameter.detach().clone() for parameter in network.parameters()]


@pytest.mark.parametrize("of_gradients", [USUAL, CHANNELS_LAST])
@pytest.mark.parametrize("of_weights", [USUAL, CHANNELS_LAST])
def test_fused_adam_moves_weights_in_any_order_as_plain_adam_does(
    of_weights: torch.memory_format, of_gradients: torch.memory_format
) -> None:
    network, plain = layers().to(memory_format=of_weights), layers()
    dense = DenseOptimizer(network, adam(1e-2, (0.5, 0.999)))
    wanted = moved(Adam(plain.parameters(), lr=1e-2, betas=(0.5, 0.999), foreach=False), plain, range(3))
    for found, expected in zip(moved(dense, network, range(3), of_gradients), wanted, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_adam_copies_no_gradient_that_lies_as_its_weight_does() -> None:
    network = layers()
    dense = DenseOptimizer(network, adam(1e-2, (0.5, 0.999)))
    moved(dense, network, range(2), CHANNELS_LAST)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        dense.step()
    assert not {event.key for event in profile.key_averages()} & {"aten::clone", "aten::contiguous"}


@pytest.mark.parametrize("after", [USUAL, CHANNELS_LAST])
def test_a_state_goes_on_in_a_network_of_another_order(after: torch.memory_format) -> None:
    make = adam(1e-2, (0.5, 0.999))
    network, again = layers(), layers().to(memory_format=after)
    first, second = DenseOptimizer(network, make), DenseOptimizer(again, make)
    moved(first, network, range(2))
    again.load_state_dict(network.state_dict())
    state = first.state_dict()
    shapes = [parameter.shape for parameter in network.parameters()]
    assert [of_weight["exp_avg"].shape for of_weight in state["state"].values()] == shapes
    second.load_state_dict(state)
    kept = {k: of_weight["exp_avg"].clone() for k, of_weight in state["state"].items()}
    found = moved(second, again, range(2, 4))
    assert all(torch.equal(kept[k], of_weight["exp_avg"]) for k, of_weight in state["state"].items())
    assert all(torch.equal(*pair) for pair in zip(found, moved(first, network, range(2, 4)), strict=True))


def test_momentum_of_plain_descent_goes_on_too() -> None:
    make = partial(SGD, lr=0.1, momentum=0.9)
    network, again = layers(), layers()
    first, second = DenseOptimizer(network, make), DenseOptimizer(again, make)
    moved(first, network, range(2))
    again.load_state_dict(network.state_dict())
    second.load_state_dict(first.state_dict())
    pairs = zip(moved(second, again, range(2, 3)), moved(first, network, range(2, 3)), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)


def test_a_weight_without_gradient_stays() -> None:
    network = layers()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    DenseOptimizer(network, adam(1e-2, (0.5, 0.999))).step()
    assert all(torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True))


def test_a_network_that_was_moved_is_refused() -> None:
    network = layers()
    dense = DenseOptimizer(network, adam(1e-2, (0.5, 0.999)))
    network.load_state_dict({key: tensor.clone() for key, tensor in network.state_dict().items()}, assign=True)
    with pytest.raises(TrainingError, match="moved after its optimiser was made"):
        dense.step()
