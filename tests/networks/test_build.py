import pytest
import torch
from torch import nn

from medp2p import networks
from medp2p.errors import ConfigError
from medp2p.networks import build_discriminator, build_generator, initialise

GENERATOR_PARAMETERS = {  # by channels in and out
    ("unet_256", "batch"): {(3, 3): 54_413_955, (1, 1): 54_407_809, (2, 1): 54_408_833, (3, 1): 54_409_857},
    ("unet_256", "instance"): {(3, 3): 54_409_603, (1, 1): 54_403_457, (2, 1): 54_404_481, (3, 1): 54_405_505},
    ("unet_128", "batch"): {(3, 3): 41_828_995, (1, 1): 41_822_849, (2, 1): 41_823_873, (3, 1): 41_824_897},
    ("unet_128", "instance"): {(3, 3): 41_825_667, (1, 1): 41_819_521, (2, 1): 41_820_545, (3, 1): 41_821_569},
    ("resnet_9", "batch"): {(3, 3): 11_383_427, (1, 1): 11_370_881, (2, 1): 11_374_017, (3, 1): 11_377_153},
    ("resnet_9", "instance"): {(3, 3): 11_378_179, (1, 1): 11_365_633, (2, 1): 11_368_769, (3, 1): 11_371_905},
    ("resnet_6", "batch"): {(3, 3): 7_841_411, (1, 1): 7_828_865, (2, 1): 7_832_001, (3, 1): 7_835_137},
}
DISCRIMINATOR_PARAMETERS = {  # by channels of the pair
    ("patch", "batch"): {2: 2_764_609, 3: 2_765_633, 4: 2_766_657, 6: 2_768_705},
    ("patch", "instance"): {2: 2_763_713, 3: 2_764_737, 4: 2_765_761, 6: 2_767_809},
    ("pixel", "batch"): {2: 8_768, 3: 8_832, 4: 8_896, 6: 9_024},
}
PARAMETERS_BY_DEPTH = {1: 135_489, 2: 662_337, 3: 2_764_609, 4: 6_959_937, 5: 11_155_265}


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("kind", "norm"), GENERATOR_PARAMETERS)
def test_a_generator_has_the_reference_number_of_parameters(kind: str, norm: str) -> None:
    expected = GENERATOR_PARAMETERS[kind, norm]
    built = {
        (arriving, leaving): build_generator(kind, in_channels=arriving, out_channels=leaving, norm=norm, seed=None)
        for arriving, leaving in expected
    }
    assert {channels: size(network) for channels, network in built.items()} == expected


@pytest.mark.parametrize(("kind", "norm"), DISCRIMINATOR_PARAMETERS)
def test_a_discriminator_has_the_reference_number_of_parameters(kind: str, norm: str) -> None:
    expected = DISCRIMINATOR_PARAMETERS[kind, norm]
    assert {n: size(build_discriminator(kind, in_channels=n, norm=norm, seed=None)) for n in expected} == expected


def test_a_patch_discriminator_of_any_depth_has_the_reference_number_of_parameters() -> None:
    expected = PARAMETERS_BY_DEPTH
    assert {n: size(build_discriminator("patch", in_channels=2, layers=n, seed=None)) for n in expected} == expected


def test_the_patches_of_a_slice_are_30_by_30() -> None:
    discriminator = build_discriminator("patch", in_channels=2, channels=4)
    assert discriminator(torch.zeros(1, 2, 256, 256)).shape == (1, 1, 30, 30)


def test_the_pixel_discriminator_judges_every_pixel() -> None:
    discriminator = build_discriminator("pixel", in_channels=2, channels=4)
    assert discriminator(torch.zeros(1, 2, 24, 40)).shape == (1, 1, 24, 40)


@pytest.mark.parametrize("option", ["in_channels", "out_channels", "channels"])
def test_a_generator_without_a_channel_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=rf"generator\.{option}: a network has at least one \(found 0\)"):
        build_generator("unet_128", **{"in_channels": 1, "out_channels": 1, option: 0})


@pytest.mark.parametrize("options", [{"kind": "unet_64"}, {"kind": "unet_256", "norm": "layer"}])
def test_a_generator_of_an_unknown_name_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"generator\.(kind|norm): there is none of that name .* one of"):
        build_generator(in_channels=1, out_channels=1, **options)


def test_a_discriminator_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="one of patch, pixel"):
        build_discriminator("patches", in_channels=2)


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    first, again, other = (build_discriminator("patch", in_channels=2, channels=8, seed=seed) for seed in (1, 1, 2))
    weights = [torch.cat([p.flatten() for p in network.parameters()]) for network in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_building_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    build_generator("unet_128", in_channels=1, out_channels=1, channels=4)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_first_weights_are_drawn_as_the_reference_draws_them() -> None:
    generator = build_generator("resnet_6", in_channels=1, out_channels=1, channels=32, seed=5).requires_grad_(False)
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean() == pytest.approx(1.0, abs=0.02)
            assert module.weight.std() == pytest.approx(0.02, rel=0.5)
            assert not module.bias.any()
            assert not module.running_mean.any()
            assert (module.running_var == 1).all()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            assert module.weight.mean() == pytest.approx(0.0, abs=0.003)
            assert module.weight.std() == pytest.approx(0.02, rel=0.1)
            assert module.bias is None or not module.bias.any()


def test_a_network_can_be_initialised_again() -> None:
    network = build_discriminator("pixel", in_channels=2, seed=1)
    again = initialise(build_discriminator("pixel", in_channels=2, seed=2), 1)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_a_network_without_weights_takes_those_it_is_given() -> None:
    options = {"in_channels": 1, "out_channels": 1, "channels": 4}
    full = build_generator("unet_128", **options)
    bare = build_generator("unet_128", **options, seed=None)
    bare.load_state_dict(full.state_dict(), assign=True)
    source = torch.rand(1, 1, 128, 128)
    assert torch.equal(bare.eval()(source), full.eval()(source))


def test_every_public_name_is_there() -> None:
    assert all(hasattr(networks, name) for name in networks.__all__)


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="unets"):
        networks.unets  # noqa: B018
