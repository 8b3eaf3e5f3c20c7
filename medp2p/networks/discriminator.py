"""The discriminators of pix2pix, which judge a source and a target together: patch by patch or pixel by pixel."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from medp2p.networks.channels_last import in_channels_last
from medp2p.networks.last_layer import at_least_float32
from medp2p.networks.limits import smallest_patch_size
from medp2p.networks.norms import bias_before, norms
from medp2p.networks.slice_shape import SliceShape

_WIDEST = 8  # channels stop doubling at 8 times those of the first stage
_SLOPE = 0.2  # of LeakyReLU below zero


class Stage(nn.Module):
    """Convolution, norm if there is one, LeakyReLU in place."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, h, w), as the convolution has it."""
        features = self.convolution(features)
        if self.norm is not None:
            features = self.norm(features)
        return functional.leaky_relu_(features, _SLOPE)


class Discriminator(nn.Module):
    """Stages one after another and a last convolution that gives one logit for each place.

    Args:
        stages: The first takes the pair's channels, each the channels of the one before.
        last: Convolution to one channel.
        smallest: Least height and width of a pair, in pixels.
    """

    def __init__(self, stages: Sequence[Stage], last: nn.Conv2d, *, smallest: int = 1) -> None:
        super().__init__()
        self.takes = SliceShape(stages[0].convolution.in_channels, smallest=smallest)
        self.stages = nn.ModuleList(stages)
        self.last = last

    def forward(self, pair: Tensor) -> Tensor:
        """Judges pairs.

        Args:
            pair: Source and target slices along the channels, scaled to [-1, 1], shape (B, C, H, W).

        Returns:
            Logits in float32, above 0 where the target seems real, shape (B, 1, h, w).

        Raises:
            GeometryError: Pairs of another number of channels, or too small.
        """
        self.takes.check(pair)
        features = in_channels_last(pair)
        for stage in self.stages:
            features = stage(features)
        return at_least_float32(self.last(features))


def patch(*, in_channels: int, channels: int, layers: int, norm: str) -> Discriminator:
    """PatchGAN with `layers` convolutions of stride 2 and two of stride 1, all 4 x 4.

    Args:
        in_channels: Channels of source and target together.
        channels: Features of the first stage; at most eight times as many later.
        layers: Depth; 3 judges patches of 70 x 70 pixels.
        norm: Name of a norm.
    """
    widths = [channels * min(2**k, _WIDEST) for k in range(layers + 1)]
    stages = [Stage(nn.Conv2d(in_channels, channels, 4, 2, 1))]
    for k in range(1, layers + 1):
        convolution = nn.Conv2d(widths[k - 1], widths[k], 4, 2 if k < layers else 1, 1, bias=bias_before(norm))
        stages.append(Stage(convolution, norms[norm](widths[k])))
    return Discriminator(stages, nn.Conv2d(widths[-1], 1, 4, 1, 1), smallest=smallest_patch_size(layers))


def pixel(*, in_channels: int, channels: int, layers: int, norm: str) -> Discriminator:
    """Judges every pixel by itself, with convolutions of 1 x 1; `layers` has no meaning here.

    Args:
        in_channels: Channels of source and target together.
        channels: Features of the first stage, half those of the second.
        layers: Ignored.
        norm: Name of a norm.
    """
    del layers
    bias = bias_before(norm)
    stages = [
        Stage(nn.Conv2d(in_channels, channels, 1)),
        Stage(nn.Conv2d(channels, 2 * channels, 1, bias=bias), norms[norm](2 * channels)),
    ]
    return Discriminator(stages, nn.Conv2d(2 * channels, 1, 1, bias=bias))
