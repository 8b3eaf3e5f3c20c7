"""The U-Net generator of pix2pix, as two flat lists of stages."""

from torch import Tensor, nn
from torch.nn import functional

from medp2p.networks.channels_last import in_channels_last, relu_of_both
from medp2p.networks.deep_convolutions import DoublingConvTranspose2d, HalvingConv2d
from medp2p.networks.last_layer import LastConvTranspose2d
from medp2p.networks.norms import bias_before, norms
from medp2p.networks.slice_shape import SliceShape

_WIDEST = 8  # channels stop doubling at 8 times those of the first stage
_SLOPE = 0.2  # of LeakyReLU below zero
_DROPOUT = 0.5


class Down(nn.Module):
    """Halves the grid: convolution, norm, LeakyReLU; the deepest has no norm and a plain ReLU."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.Module | None, *, deepest: bool) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm
        self.slope = 0.0 if deepest else _SLOPE

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H/2, W/2), in channels_last order."""
        features = self.convolution(features)
        if self.norm is not None:
            features = self.norm(features)
        return functional.leaky_relu_(features, self.slope)


class Up(nn.Module):
    """Doubles the grid: transposed convolution, norm, and dropout in the deep stages."""

    def __init__(self, convolution: nn.ConvTranspose2d, norm: nn.Module, *, dropout: bool) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm
        self.dropout = nn.Dropout(_DROPOUT) if dropout else None

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, 2 H, 2 W), in channels_last order."""
        features = self.norm(self.convolution(features))
        return features if self.dropout is None else self.dropout(features)


class UNet(nn.Module):
    """Encoder and decoder of the same depth; each decoder stage sees the encoder's features of its own grid.

    `down[k]` and `up[k]` work between the grids of size / 2^k and size / 2^(k+1).

    Args:
        in_channels: Channels of a source slice.
        out_channels: Channels of a predicted slice.
        channels: Features of the first stage; the deepest have eight times as many.
        halvings: How often the slice is halved; its size is a multiple of 2 to that power.
        norm: Name of a norm.
        dropout: Whether the deep stages of the decoder drop half of their features while training.

    Source:
        Isola et al. 2017, appendix 6.1.1, as the authors' PyTorch code has it.
    """

    def __init__(
        self, *, in_channels: int, out_channels: int, channels: int, halvings: int, norm: str, dropout: bool
    ) -> None:
        super().__init__()
        bias = bias_before(norm)
        widths = [channels * min(2**k, _WIDEST) for k in range(halvings)]
        deepest = halvings - 1
        self.takes = SliceShape(in_channels, smallest=2**halvings, multiple=2**halvings)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for k, width in enumerate(widths):
            before = widths[k - 1] if k else in_channels
            down_norm = None if k in (0, deepest) else norms[norm](width)
            convolution = HalvingConv2d(before, width, bias=bias)
            self.down.append(Down(convolution, down_norm, deepest=k == deepest))
            arriving = width if k == deepest else 2 * width
            if k == 0:
                self.up.append(LastConvTranspose2d(arriving, out_channels))
                continue
            dropped = dropout and 4 <= k < deepest
            upward = DoublingConvTranspose2d(arriving, before, bias=bias)
            self.up.append(Up(upward, norms[norm](before), dropout=dropped))

    def forward(self, source: Tensor) -> Tensor:
        """Predicts target slices.

        Args:
            source: Slices scaled to [-1, 1], shape (B, C, H, W); H and W multiples of 2^halvings.

        Returns:
            Slices in [-1, 1], float32 under autocast too, shape (B, D, H, W).

        Raises:
            GeometryError: Slices of another number of channels, or of a size that is no such multiple.
        """
        self.takes.check(source)
        features: Tensor = in_channels_last(source)
        skips: list[Tensor] = []
        for down in self.down:
            features = down(features)
            skips.append(features)
        features = self.up[-1](skips.pop())
        for up in reversed(self.up[:-1]):
            features = up(relu_of_both(skips.pop(), features))
        return features.tanh()
