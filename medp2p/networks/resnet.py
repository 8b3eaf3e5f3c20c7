"""The ResNet generator of pix2pix: two halvings, residual blocks at a quarter of the size, two doublings."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from medp2p.networks.channels_last import in_channels_last
from medp2p.networks.last_layer import at_least_float32, without_autocast
from medp2p.networks.limits import RESNET_SMALLEST
from medp2p.networks.norms import bias_before, norms
from medp2p.networks.slice_shape import SliceShape

_DROPOUT = 0.5
_BORDER = 3  # pixels, of the 7 x 7 convolutions at both ends


class Stage(nn.Module):
    """Convolution of any kind, norm, ReLU."""

    def __init__(self, convolution: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, h, w), as the convolution has it."""
        return functional.relu_(self.norm(self.convolution(features)))


class ResidualBlock(nn.Module):
    """What two convolutions make of the features, added to them."""

    def __init__(self, channels: int, *, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = bias_before(norm)
        self.first = Stage(nn.Conv2d(channels, channels, 3, bias=bias), norms[norm](channels))
        self.dropout = nn.Dropout(_DROPOUT) if dropout else None
        self.convolution = nn.Conv2d(channels, channels, 3, bias=bias)
        self.norm = norms[norm](channels)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape (B, C, H, W)."""
        change = self.first(_reflected(features, 1))
        if self.dropout is not None:
            change = self.dropout(change)
        added: Tensor = features + self.norm(self.convolution(_reflected(change, 1)))
        return added


class ResNet(nn.Module):
    """Johnson's generator as the authors of pix2pix have it.

    Args:
        in_channels: Channels of a source slice.
        out_channels: Channels of a predicted slice.
        channels: Features at full size; four times as many in the residual blocks.
        blocks: Number of residual blocks.
        norm: Name of a norm.
        dropout: Whether each block drops half of its features while training.

    Source:
        Johnson et al. 2016, Perceptual Losses for Real-Time Style Transfer and Super-Resolution.
    """

    def __init__(
        self, *, in_channels: int, out_channels: int, channels: int, blocks: int, norm: str, dropout: bool
    ) -> None:
        super().__init__()
        bias, normed = bias_before(norm), norms[norm]
        half, quarter = 2 * channels, 4 * channels
        self.takes = SliceShape(in_channels, smallest=RESNET_SMALLEST, multiple=4)
        self.entry = Stage(nn.Conv2d(in_channels, channels, 7, bias=bias), normed(channels))
        self.down = nn.Sequential(
            Stage(nn.Conv2d(channels, half, 3, 2, 1, bias=bias), normed(half)),
            Stage(nn.Conv2d(half, quarter, 3, 2, 1, bias=bias), normed(quarter)),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(quarter, norm=norm, dropout=dropout) for _ in range(blocks)))
        self.up = nn.Sequential(
            Stage(nn.ConvTranspose2d(quarter, half, 3, 2, 1, output_padding=1, bias=bias), normed(half)),
            Stage(nn.ConvTranspose2d(half, channels, 3, 2, 1, output_padding=1, bias=bias), normed(channels)),
        )
        self.last = nn.Conv2d(channels, out_channels, 7)

    def forward(self, source: Tensor) -> Tensor:
        """Predicts target slices.

        Args:
            source: Slices scaled to [-1, 1], shape (B, C, H, W); H and W multiples of 4, at least 8.

        Returns:
            Slices in [-1, 1], float32 under autocast too, shape (B, D, H, W).

        Raises:
            GeometryError: Slices of another number of channels or such sizes.
        """
        self.takes.check(source)
        features = self.entry(_reflected(source, _BORDER))
        features = self.up(self.blocks(self.down(features)))
        with without_autocast(features):
            return torch.tanh(self.last(at_least_float32(_reflected(features, _BORDER))))


def _reflected(features: Tensor, border: int) -> Tensor:
    """Features (B, C, H, W) with their border mirrored outwards, in channels_last order."""
    return in_channels_last(functional.pad(features, (border,) * 4, mode="reflect"))
