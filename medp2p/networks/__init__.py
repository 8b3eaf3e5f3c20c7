"""Generators and discriminators of pix2pix by name, and the weights of the reference repository in and out.

Must load torch only when a network is built: `medp2p.networks.limits` is plain integers.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from medp2p.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from medp2p.networks.first_weights import initialise
    from medp2p.networks.habit import set_reference_habit
    from medp2p.networks.reference_weights import (
        architecture_of_reference,
        load_reference_weights,
        reference_state_dict,
    )

__all__ = [
    "architecture_of_reference",
    "build_discriminator",
    "build_generator",
    "discriminators",
    "generators",
    "initialise",
    "load_reference_weights",
    "reference_state_dict",
    "set_reference_habit",
]

_HOMES = {
    "initialise": "first_weights",
    "architecture_of_reference": "reference_weights",
    "load_reference_weights": "reference_weights",
    "reference_state_dict": "reference_weights",
    "set_reference_habit": "habit",
}


def _unet(**options: Any) -> "nn.Module":
    from medp2p.networks.unet import UNet

    return UNet(**options)


def _resnet(**options: Any) -> "nn.Module":
    from medp2p.networks.resnet import ResNet

    return ResNet(**options)


def _patch(**options: Any) -> "nn.Module":
    from medp2p.networks.discriminator import patch

    return patch(**options)


def _pixel(**options: Any) -> "nn.Module":
    from medp2p.networks.discriminator import pixel

    return pixel(**options)


generators: dict[str, Callable[..., "nn.Module"]] = {
    "unet_128": partial(_unet, halvings=7),
    "unet_256": partial(_unet, halvings=8),
    "resnet_6": partial(_resnet, blocks=6),
    "resnet_9": partial(_resnet, blocks=9),
}
discriminators: dict[str, Callable[..., "nn.Module"]] = {"patch": _patch, "pixel": _pixel}


def build_generator(
    kind: str,
    *,
    in_channels: int,
    out_channels: int,
    channels: int = 64,
    norm: str = "batch",
    dropout: bool = True,
    seed: int | None = 0,
) -> "nn.Module":
    """A generator with its first weights.

    Args:
        kind: unet_128, unet_256, resnet_6 or resnet_9.
        in_channels: Channels of a source slice.
        out_channels: Channels of a predicted slice.
        channels: Features of the first layer.
        norm: batch or instance.
        dropout: Whether it drops features while training.
        seed: Of the first weights. None: no weights at all (meta device), for `load_state_dict(…, assign=True)`.

    Returns:
        A module from (B, C, H, W) to (B, D, H, W), both in [-1, 1], with weights in channels_last order.

    Raises:
        ConfigError: There is no generator or norm of that name, or a number is below 1.
    """
    return _built(
        generators,
        "generator",
        kind,
        seed,
        in_channels=in_channels,
        out_channels=out_channels,
        channels=channels,
        norm=norm,
        dropout=dropout,
    )


def build_discriminator(
    kind: str,
    *,
    in_channels: int,
    channels: int = 64,
    layers: int = 3,
    norm: str = "batch",
    seed: int | None = 0,
) -> "nn.Module":
    """A discriminator with its first weights.

    Args:
        kind: patch or pixel.
        in_channels: Channels of source and target together.
        channels: Features of the first layer.
        layers: Depth of a patch discriminator: its convolutions of stride 2.
        norm: batch or instance.
        seed: Of the first weights. None: no weights at all (meta device), for `load_state_dict(…, assign=True)`.

    Returns:
        A module from pairs (B, C, H, W) to logits (B, 1, h, w), with weights in channels_last order.

    Raises:
        ConfigError: There is no discriminator or norm of that name, or a number is below 1.
    """
    return _built(
        discriminators,
        "discriminator",
        kind,
        seed,
        in_channels=in_channels,
        channels=channels,
        layers=layers,
        norm=norm,
    )


def _built(
    builders: dict[str, Callable[..., "nn.Module"]], what: str, kind: str, seed: int | None, **options: Any
) -> "nn.Module":
    import torch

    from medp2p.networks.first_weights import initialise
    from medp2p.networks.norms import norms

    for key, name, known in ((f"{what}.kind", kind, list(builders)), (f"{what}.norm", options["norm"], list(norms))):
        if name not in known:
            raise ConfigError(None, "there is none of that name", found=name, fix=f"one of {', '.join(known)}", key=key)
    for option in ("in_channels", "out_channels", "channels", "layers"):
        if options.get(option, 1) < 1:
            raise ConfigError(None, "a network has at least one", key=f"{what}.{option}", found=str(options[option]),
                              fix="give 1 or more")  # fmt: skip
    with torch.device("meta"):
        network = builders[kind](**options)
    if seed is None:
        return network
    network = network.to_empty(device="cpu").to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a gap in torch's types
    return initialise(network, seed)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
