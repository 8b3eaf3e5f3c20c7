import subprocess
import sys

import pytest
import torch

from medp2p.networks import build_discriminator, build_generator, generators
from medp2p.networks.limits import (
    GENERATOR_HALVINGS,
    patch_output_size,
    receptive_field,
    size_multiple,
    smallest_patch_size,
    smallest_size,
)

SMALL = {"channels": 2, "norm": "instance"}


def test_every_generator_has_its_limits() -> None:
    assert GENERATOR_HALVINGS.keys() == generators.keys()


@pytest.mark.parametrize("kind", generators)
def test_the_smallest_slice_and_every_multiple_go_through(kind: str) -> None:
    generator = build_generator(kind, in_channels=1, out_channels=1, **SMALL)
    for size in (smallest_size(kind), smallest_size(kind) + size_multiple(kind)):
        assert generator(torch.zeros(1, 1, size, size)).shape == (1, 1, size, size)


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5])
def test_the_map_of_logits_has_the_size_that_was_foretold(layers: int) -> None:
    discriminator = build_discriminator("patch", in_channels=2, layers=layers, **SMALL)
    for size in (smallest_patch_size(layers), smallest_patch_size(layers) + 1, 200):
        assert discriminator(torch.zeros(1, 2, size, size)).shape[2:] == (patch_output_size(layers, size),) * 2


def test_one_pixel_less_is_too_little_for_a_patch_discriminator() -> None:
    assert [patch_output_size(layers, smallest_patch_size(layers) - 1) for layers in (1, 3, 5)] == [0, 0, 0]


@pytest.mark.parametrize("layers", [1, 3])
def test_a_logit_sees_its_receptive_field_and_nothing_else(layers: int) -> None:
    discriminator = build_discriminator("patch", in_channels=1, channels=4, layers=layers).eval()
    pair = torch.zeros(1, 1, 200, 200, requires_grad=True)
    logits = discriminator(pair)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    seen = pair.grad[0, 0].abs().sum(dim=0).nonzero()
    assert int(seen.max() - seen.min()) + 1 == receptive_field(layers)


def test_the_limits_load_no_torch() -> None:
    code = "import sys, medp2p.networks.limits, medp2p.networks; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
