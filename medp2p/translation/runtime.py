"""How a trained generator is computed: as it was trained, or rewritten to be faster, with the same answers.

In fp32 all runtimes agree with torch's plain one within 0.01 HU. In bf16 each has roundings of its own, a few HU at
most of a usual CT window, as bf16 has itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medp2p.device import Precision
from medp2p.networks.unet import UNet
from medp2p.translation.folded import Folded
from medp2p.translation.openvino_unet import OpenVinoUNet, can_openvino
from medp2p.translation.packed_unet import PackedUNet, can_pack

Compute = Callable[[Tensor], Tensor]
"""Slices in [-1, 1] (B, C, H, W), float32, to predicted ones (B, D, H, W), float32, both on the network's device."""


@dataclass(frozen=True)
class Runtime:
    """One way to compute a generator.

    Attributes:
        fits: Whether it can be used for a network on a device in a precision.
        build: Makes it of a network, which it takes over and may change.
        about: What it does, for people.
    """

    fits: Callable[[nn.Module, torch.device, Precision], bool]
    build: Callable[[nn.Module, Precision, torch.device], Compute]
    about: str


def compile_network(network: nn.Module, precision: Precision, device: torch.device, *, runtime: str) -> Compute:
    """The network as a function, computed by the runtime of that name.

    Args:
        network: A generator on the device, with its weights in channels_last order and in the mode it shall translate
            in. Every runtime but `plain` takes it over and changes it: use it no more.
        precision: `fp32` or `bf16`.
        device: Where the network is.
        runtime: A name of `runtimes` that fits.
    """
    return runtimes[runtime].build(network, precision, device)


def fitting(network: nn.Module, device: torch.device, precision: Precision) -> list[str]:
    """The names of the runtimes that can be used for a network on a device in a precision; `plain` always."""
    return [name for name, kind in runtimes.items() if kind.fits(network, device, precision)]


def _plain(network: nn.Module, precision: Precision, device: torch.device) -> Compute:
    def compute(slices: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            made: Tensor = network(slices)
        return made

    return compute


def _only_evaluates(network: nn.Module) -> bool:
    """Whether the network drops nothing and its norms use the statistics of training, so that they can be folded."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    tracked = all(norm.track_running_stats and norm.running_mean is not None for norm in norms)
    return tracked and not any(module.training for module in network.modules())


def _packed(network: nn.Module, precision: Precision, device: torch.device) -> Compute:
    if not isinstance(network, UNet):
        raise TypeError("only a U-Net can be packed")
    return PackedUNet(network, precision)


def _openvino(network: nn.Module, precision: Precision, device: torch.device) -> Compute:
    if not isinstance(network, UNet):
        raise TypeError("only a U-Net can be a graph of OpenVINO")
    return OpenVinoUNet(network)


runtimes: dict[str, Runtime] = {
    "plain": Runtime(lambda network, device, precision: True, _plain, "as in training, under autocast"),
    "folded": Runtime(
        lambda network, device, precision: _only_evaluates(network),
        lambda network, precision, device: Folded(network, precision),
        "batch norms folded into convolutions, weights cast once",
    ),
    "packed": Runtime(
        lambda network, device, precision: _only_evaluates(network) and can_pack(network, device, precision),
        _packed,
        "folded, weights packed for oneDNN, activations fused, transposed convolutions as convolutions",
    ),
    "openvino": Runtime(
        lambda network, device, precision: (
            precision == "fp32" and _only_evaluates(network) and can_openvino(network, device)
        ),
        _openvino,
        "folded, computed by OpenVINO (extra `openvino`), in fp32 only",
    ),
}
"""By name, in the order of how far they go from what was trained."""
