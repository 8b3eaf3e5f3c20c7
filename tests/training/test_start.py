"""What a training begins with: weights of a checkpoint of the reference, generator and discriminator."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from medp2p.errors import ModelError
from medp2p.networks import build_discriminator, build_generator, reference_state_dict
from medp2p.training.start import start_from


def networks(seed: int, channels: int = 4) -> tuple[nn.Module, nn.Module]:
    generator = build_generator("unet_128", in_channels=3, out_channels=3, channels=channels, seed=seed)
    return generator, build_discriminator("patch", in_channels=6, channels=channels, seed=seed)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    for network, name in zip(networks(seed=7), ("latest_net_G.pth", "latest_net_D.pth"), strict=True):
        torch.save(reference_state_dict(network), tmp_path / name)
    return tmp_path / "latest_net_G.pth"


def equal(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_the_discriminator_beside_a_generator_is_taken_along(checkpoint: Path) -> None:
    (generator, judge), (old_generator, old_judge) = networks(seed=1), networks(seed=7)
    start_from(checkpoint, generator, judge)
    assert equal(generator, old_generator)
    assert equal(judge, old_judge)


def test_a_generator_alone_leaves_the_discriminator_as_it_was(checkpoint: Path, tmp_path: Path) -> None:
    shutil.copy(checkpoint, tmp_path / "mine.pth")
    for name in ("mine.pth", "latest_net_G.pth"):
        (generator, judge), (old_generator, _), (_, first) = networks(seed=1), networks(seed=7), networks(seed=1)
        start_from(tmp_path / name, generator, judge)
        assert equal(generator, old_generator)
        assert equal(judge, first)
        (tmp_path / "latest_net_D.pth").unlink(missing_ok=True)


def test_a_generator_of_another_width_is_refused_in_one_line(checkpoint: Path) -> None:
    with pytest.raises(
        ModelError, match=r"found unet_128 with 4 channels.*expected unet_128 with 8 channels"
    ) as refused:
        start_from(checkpoint, *networks(seed=1, channels=8))
    assert len(refused.value.faults) == 1
