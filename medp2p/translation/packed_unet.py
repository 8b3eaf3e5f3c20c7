"""The U-Net with batch norm on a CPU: packed weights, fused activations, transposed convolutions rewritten.

A transposed convolution of 4 x 4 and stride 2 is one convolution of 2 x 2 with four times the channels, whose four
groups of channels interleave. oneDNN runs the latter several times faster in bf16. Its operations for packed weights
are those that torch's own compiler emits.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from medp2p.device import Precision
from medp2p.networks.unet import UNet
from medp2p.translation.folded import DTYPES, fold_norms

_TAPS_OF_PHASE = ((3, 1), (2, 0))
"""Along one axis, of the taps of a transposed convolution: those that make the even pixels, from the pixel before and
the pixel itself, and those that make the odd ones, from the pixel itself and the pixel after."""
_PIXELS_OF_PRODUCTS = 256
"""Grids of up to so many pixels in a whole batch are left to the networks' own matrix products. Measured with AMX."""
_PIXELS_AT_ONCE = 2048
"""Of the last layer: so many pixels in float32 stay in the cache."""


def can_pack(network: nn.Module, device: torch.device, precision: Precision) -> bool:
    """Whether this is a U-Net with batch norm, on a CPU, and torch has the operations in that precision here."""
    norms = [module.norm for module in network.modules() if hasattr(module, "norm") and module.norm is not None]
    folds = isinstance(network, UNet) and all(isinstance(norm, nn.BatchNorm2d) for norm in norms)
    there = all(hasattr(torch.ops.mkldnn, name) for name in ("_convolution_pointwise", "_reorder_convolution_weight"))
    packs = torch._C._has_mkldnn and there and (precision == "fp32" or torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return folds and device.type == "cpu" and packs


class PackedUNet(nn.Module):
    """A U-Net whose convolutions are packed when the first slices arrive, those alone that are not left to products.

    Args:
        network: A U-Net with batch norm in evaluation mode on the CPU. It is taken over and changed: use it no more.
        precision: `fp32` or `bf16`; the last layer is float32 in both.
    """

    def __init__(self, network: UNet, precision: Precision) -> None:
        super().__init__()
        fold_norms(network, precision)
        self.dtype = DTYPES[precision]
        stages: Any = network
        self.down = [_Halving(stage.convolution.to(self.dtype), stage.slope) for stage in stages.down]
        self.up = [_Doubling(stage.convolution.to(self.dtype)) for stage in stages.up[1:]]
        self.last: nn.ConvTranspose2d = stages.up[0]

    def forward(self, slices: Tensor) -> Tensor:
        """Slices in [-1, 1], float32 (B, C, H, W), to float32 (B, D, H, W)."""
        features = self._entry(slices)
        joined: list[Tensor] = []
        for halving in self.down[:-1]:
            features = halving(features)
            joined.append(_with_room(features))
        features = self.down[-1](features)
        for doubling, both in zip(reversed(self.up), reversed(joined), strict=True):
            doubling.into(both[:, both.shape[1] // 2 :], features)
            features = both
        return _doubled_in_float32(features, self.last).tanh_()

    def _entry(self, slices: Tensor) -> Tensor:
        """The slices in channels_last order; a single channel is joined by zeros, since its strides mislead oneDNN."""
        if slices.shape[1] > 1:
            return slices.to(self.dtype).contiguous(memory_format=torch.channels_last)
        shape = (slices.shape[0], 2, *slices.shape[2:])
        both = torch.empty(shape, dtype=self.dtype, memory_format=torch.channels_last)
        both[:, :1] = slices
        both[:, 1:] = 0
        return both


def _with_room(features: Tensor) -> Tensor:
    """What a stage of the decoder will see: these features without what is below 0, and room for as many more."""
    batch, channels, height, width = features.shape
    both = torch.empty((batch, 2 * channels, height, width), dtype=features.dtype, memory_format=torch.channels_last)
    torch.clamp_min(features, 0, out=both[:, :channels])
    return both


class _Halving:
    """A convolution of 4 x 4 and stride 2 with its LeakyReLU."""

    def __init__(self, layer: nn.Conv2d, slope: float) -> None:
        self.layer, self.slope = layer, slope
        self.packed = _Packed(self._weight, layer.bias, 2, ("leaky_relu", [slope]) if slope else ("relu", []))

    def __call__(self, features: Tensor) -> Tensor:
        if features.numel() // features.shape[1] <= 4 * _PIXELS_OF_PRODUCTS and features.shape[1] > 2:
            return nn.functional.leaky_relu_(self.layer(features), self.slope)
        return self.packed(features)

    def _weight(self) -> Tensor:
        weight = self.layer.weight
        return torch.cat([weight, torch.zeros_like(weight)], 1) if weight.shape[1] == 1 else weight


class _Doubling:
    """A transposed convolution of 4 x 4 and stride 2 with a ReLU."""

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        self.layer = layer
        bias = None if layer.bias is None else layer.bias.repeat(4)
        self.packed = _Packed(partial(_as_convolution, layer.weight), bias, 1, ("relu", []))

    def into(self, room: Tensor, features: Tensor) -> None:
        """Writes (B, D, 2 H, 2 W), made of features (B, C, H, W), into `room`."""
        batch, _, height, width = features.shape
        if batch * height * width <= _PIXELS_OF_PRODUCTS:
            torch.clamp_min(self.layer(features), 0, out=room)
            return
        phases = self.packed(features).view(batch, 4, -1, height + 1, width + 1)
        pixels = room.view(batch, -1, height, 2, width, 2)
        for odd_row in (0, 1):
            for odd_column in (0, 1):
                rows, columns = slice(odd_row, odd_row + height), slice(odd_column, odd_column + width)
                pixels[:, :, :, odd_row, :, odd_column] = phases[:, 2 * odd_row + odd_column, :, rows, columns]


def _as_convolution(weight: Tensor) -> Tensor:
    """Kernels of a transposed convolution (C, D, 4, 4) as those of a convolution (4 D, C, 2, 2), phase by phase.

    The output of that convolution, with a border of one pixel, is one pixel higher and wider than its input: the even
    pixels of the transposed one begin at its first row or column, the odd ones at its second.
    """
    phases = [weight[:, :, rows][..., columns].transpose(0, 1) for rows in _TAPS_OF_PHASE for columns in _TAPS_OF_PHASE]
    return torch.cat(phases)


class _Packed:
    """A convolution with its activation, packed for the shape of its first input and right for any."""

    def __init__(
        self, weight: Callable[[], Tensor], bias: Tensor | None, stride: int, activation: tuple[str, Sequence[float]]
    ) -> None:
        self.weight = weight
        self.bias = bias
        self.stride = [stride, stride]
        self.activation = activation
        self.packed: Tensor | None = None
        self.packing = threading.Lock()

    def __call__(self, features: Tensor) -> Tensor:
        with self.packing:
            if self.packed is None:
                weight = self.weight().contiguous(memory_format=torch.channels_last)
                shape = list(features.shape)
                self.packed = torch.ops.mkldnn._reorder_convolution_weight(
                    weight, [1, 1], self.stride, [1, 1], 1, shape
                )
        made: Tensor = torch.ops.mkldnn._convolution_pointwise(
            features, self.packed, self.bias, [1, 1], self.stride, [1, 1], 1, *self.activation, ""
        )
        return made


def _doubled_in_float32(features: Tensor, layer: nn.ConvTranspose2d) -> Tensor:
    """The last layer, as `LastConvTranspose2d` has it, in pieces that stay in the cache."""
    batch, channels, height, width = features.shape
    taps_of_pixel = layer.weight.reshape(channels, -1).t()
    made = torch.empty((batch, layer.out_channels, 2 * height, 2 * width))
    taps = torch.empty((len(taps_of_pixel), height * width))
    for k in range(batch):
        pixels = features[k].permute(1, 2, 0).flatten(0, 1)
        for start in range(0, len(pixels), _PIXELS_AT_ONCE):
            part = slice(start, start + _PIXELS_AT_ONCE)
            torch.mm(taps_of_pixel, pixels[part].float().t(), out=taps[:, part])
        made[k] = nn.functional.fold(taps, (2 * height, 2 * width), 4, padding=1, stride=2)
    return made if layer.bias is None else made.add_(layer.bias[:, None, None])
