"""A trained generator with nothing left of training: norms folded into convolutions, weights cast once."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from medp2p.device import Precision
from medp2p.networks.last_layer import LastConvTranspose2d
from medp2p.translation.exact_biases import make_bias_exact, scalable_layers

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Folded(nn.Module):
    """A generator in evaluation mode whose batch norms are part of the convolutions before them.

    In bf16 all weights but the last layer's are cast once, where autocast casts them for every batch.

    Args:
        network: A generator in evaluation mode. It is taken over and changed: use it no more.
        precision: `fp32` or `bf16`.
    """

    def __init__(self, network: nn.Module, precision: Precision) -> None:
        super().__init__()
        self.network = fold_norms(network, precision)
        self.dtype = DTYPES[precision]
        for layer in convolutions_before_the_last(self.network):
            layer.to(self.dtype)

    def forward(self, slices: Tensor) -> Tensor:
        """Slices in [-1, 1], float32 (B, C, H, W), to float32 (B, D, H, W)."""
        made: Tensor = self.network(slices.to(self.dtype))
        return made


def fold_norms(network: nn.Module, precision: Precision = "fp32") -> nn.Module:
    """The network, changed so that batch norms are part of the convolutions before them, its weights still float32.

    A module has its norm as `norm` and the convolution before it as `convolution`, as all of `medp2p.networks` do.

    Args:
        network: A generator in evaluation mode.
        precision: What its weights will be rounded to. For `bf16` biases become numbers that bfloat16 holds, or are
            added in float32 where channels cannot be scaled.
    """
    folded: list[Any] = []
    for module in network.modules():
        norm, layer = getattr(module, "norm", None), getattr(module, "convolution", None)
        if not (isinstance(norm, nn.BatchNorm2d) and isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)):
            continue
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("a batch norm without running statistics cannot be folded")
        layer.weight, layer.bias = fuse_conv_bn_weights(
            layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias,
            transpose=isinstance(layer, nn.ConvTranspose2d),
        )  # fmt: skip
        layer.requires_grad_(False)
        module.norm = nn.Identity()
        folded.append(module)
    if precision == "bf16":
        scalable = dict(scalable_layers(network))
        for layer, readers in scalable.items():
            make_bias_exact(layer, readers)
        for module in folded:
            if module.convolution not in scalable:
                module.norm, module.convolution.bias = _Shift(module.convolution.bias), None
    return network


class _Shift(nn.Module):
    """What a folded norm adds to each channel, in float32."""

    def __init__(self, shift: Tensor) -> None:
        super().__init__()
        self.shift = shift.detach()

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) in any type to the same."""
        return (features + self.shift[:, None, None]).to(features.dtype)


def convolutions_before_the_last(network: nn.Module) -> list[nn.Module]:
    """All convolutions but the one that makes the prediction, which is never narrower than float32."""
    last = getattr(network, "last", None)
    return [
        module
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        and not isinstance(module, LastConvTranspose2d)
        and module is not last
    ]
