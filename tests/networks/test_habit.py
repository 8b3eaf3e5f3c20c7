import pytest
import torch
from torch import Tensor, nn

from medp2p.networks import build_generator, load_reference_weights, set_reference_habit

from ..textbook import textbook  # noqa: TID252  # pytest imports by file, tests are no package

OPTIONS = {"in_channels": 1, "out_channels": 1, "channels": 4}


@pytest.fixture
def source() -> Tensor:
    return torch.rand(2, 1, 128, 128, generator=torch.Generator().manual_seed(3))


def seeded(network: nn.Module, source: Tensor) -> Tensor:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(11)
        return network(source)


def test_the_habit_is_that_of_the_textbook_in_training(source: Tensor) -> None:
    other = textbook("unet_128", dropout=False, **OPTIONS).train()
    network = build_generator("unet_128", dropout=False, **OPTIONS)
    set_reference_habit(load_reference_weights(network, other.state_dict()))
    torch.testing.assert_close(seeded(network, source), seeded(other, source), rtol=0, atol=1e-5)


def test_the_habit_drops_and_one_seed_gives_one_answer(source: Tensor) -> None:
    network = set_reference_habit(build_generator("unet_128", **OPTIONS))
    first = seeded(network, source)
    assert torch.equal(first, seeded(network, source))
    with torch.no_grad():
        assert not torch.equal(first, network(source))


def test_the_habit_changes_no_statistics_and_can_be_ended(source: Tensor) -> None:
    network = build_generator("unet_128", **OPTIONS).eval()
    plain = seeded(network, source)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    seeded(set_reference_habit(network), source)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert torch.equal(seeded(set_reference_habit(network, habit=False), source), plain)
