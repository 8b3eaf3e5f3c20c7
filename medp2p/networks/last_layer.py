"""The last layer of the U-Net, in float32 or more whatever the layers before it compute in.

Near -1 and +1 the grid of bfloat16 is 8 HU wide for the usual CT window, so the last layer never uses it.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from medp2p.networks.products import product

_TAPS = 4  # height and width of the kernel
_STRIDE = 2
_PADDING = 1


def at_least_float32(features: Tensor) -> Tensor:
    """The same features, in float32 if they were narrower.

    Examples:
        >>> at_least_float32(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return features if features.dtype.itemsize >= torch.float32.itemsize else features.float()


def without_autocast(images: Tensor) -> AbstractContextManager[object]:
    """Operations on images of that device in their own type, whatever autocast says outside."""
    kind = images.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


class LastConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution of 4 x 4 and stride 2 with few output channels, in float32.

    On a CPU it is one matrix product a slice, whose 16 taps are then added up: torch's own, made for many output
    channels, takes twice as long, and a float32 copy of all features at once never exists.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, _TAPS, _STRIDE, _PADDING)

    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]  # no output_size here
        """(B, C, H, W) of any float type to float32 (B, D, 2 H, 2 W)."""
        with without_autocast(features):
            if features.device.type != "cpu" or torch.compiler.is_compiling():
                wide = at_least_float32(features)
                return functional.conv_transpose2d(wide, self.weight, self.bias, _STRIDE, _PADDING)
            added: Tensor = _SliceBySlice.apply(features, self.weight)  # type: ignore[no-untyped-call]  # torch's
            return added if self.bias is None else added + self.bias[:, None, None]


class _SliceBySlice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(features, weight)
        batch, channels, height, width = features.shape
        taps_of_pixel = weight.reshape(channels, -1).t()
        size = _STRIDE * height, _STRIDE * width
        added = features.new_empty((batch, weight.shape[1], *size), dtype=weight.dtype)
        for k in range(batch):
            taps = product(taps_of_pixel, _pixels(features[k]).t())
            added[k] = functional.fold(taps, size, _TAPS, padding=_PADDING, stride=_STRIDE)
        return added

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        features, weight = ctx.saved_tensors
        taps_of_pixel = weight.reshape(weight.shape[0], -1).t()
        for_features = torch.empty_like(features)
        for_weight = torch.zeros_like(taps_of_pixel)
        to_taps = taps_of_pixel.to(features.dtype)
        for k in range(len(features)):
            taps = functional.unfold(gradient[k : k + 1], _TAPS, padding=_PADDING, stride=_STRIDE)[0]
            for_features[k] = product(taps.t().to(features.dtype), to_taps).t().reshape(features.shape[1:])
            for_weight += product(taps, _pixels(features[k]))
        return for_features, for_weight.t().reshape(weight.shape)


def _pixels(features: Tensor) -> Tensor:
    """Features of one slice (C, H, W) as wide rows of pixels (H W, C)."""
    return at_least_float32(features.permute(1, 2, 0).flatten(0, 1))
