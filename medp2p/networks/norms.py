"""The two norms of pix2pix, by name."""

from collections.abc import Callable

from torch import Tensor, nn

from medp2p.networks.channels_last import instance_norm


class InstanceNorm2d(nn.Module):
    """Instance norm without parameters or memory: the same in training and evaluation."""

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, H, W) with mean 0 and variance 1 in every channel of every slice."""
        return instance_norm(features)


norms: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": lambda channels: InstanceNorm2d(),
}
"""From the number of channels to a norm of them."""


def bias_before(norm: str) -> bool:
    """Whether a convolution that is followed by this norm has a bias: batch norm brings one of its own."""
    return norm != "batch"
