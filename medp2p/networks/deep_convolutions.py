"""The convolutions that halve and double the grid, as matrix products where the grid is small.

Near the bottom of a U-Net a few pixels meet millions of weights, and torch's convolutions on a CPU take three to ten
times as long there as the same sums written as one matrix product.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from medp2p.networks.products import product

_TAPS = 4  # height and width of the kernel; its stride is 2 and the border 1
_WEIGHTS_PER_PIXEL = {"halving": 128, "doubling": 64}
"""Products win where a kernel's tap has this many weights for each pixel of the smaller grid, over the whole batch.

Measured on two cores with AMX, in bf16 and in float32, for batches of 1 and 16.
"""


class HalvingConv2d(nn.Conv2d):
    """A convolution of 4 x 4, stride 2 and a border of one pixel: (B, C, 2 H, 2 W) to (B, D, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool) -> None:
        super().__init__(in_channels, out_channels, _TAPS, 2, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Features in channels_last order."""
        if not _by_products("halving", features, self.weight, features.numel() // features.shape[1] // 4):
            return super().forward(features)
        answer: Tensor = _Halving.apply(*_in_one_type(features, self.weight))  # type: ignore[no-untyped-call]  # torch's
        return answer if self.bias is None else answer + self.bias.to(answer.dtype)[:, None, None]


class DoublingConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution of 4 x 4, stride 2 and a border of one pixel: (B, C, H, W) to (B, D, 2 H, 2 W)."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool) -> None:
        super().__init__(in_channels, out_channels, _TAPS, 2, 1, bias=bias)

    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]  # no output_size here
        """Features in channels_last order."""
        if not _by_products("doubling", features, self.weight, features.numel() // features.shape[1]):
            return super().forward(features)
        answer: Tensor = _Doubling.apply(*_in_one_type(features, self.weight))  # type: ignore[no-untyped-call]  # torch's
        return answer if self.bias is None else answer + self.bias.to(answer.dtype)[:, None, None]


def _by_products(way: str, features: Tensor, weight: Tensor, pixels: int) -> bool:
    """Whether matrix products are the faster way; other devices and compilers have ways of their own."""
    if features.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    return pixels * _WEIGHTS_PER_PIXEL[way] <= weight.shape[0] * weight.shape[1]


def _in_one_type(features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the type that autocast would give a convolution."""
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else features.dtype
    return features.to(dtype), weight.to(dtype)


class _Halving(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(features, weight)
        batch, _, height, width = features.shape
        answer = _empty(features, (batch, len(weight), height // 2, width // 2))
        product(_windows(features), _rows(weight).t(), out=_pixels(answer))
        return answer

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        features, weight = ctx.saved_tensors
        pixels = _pixels(gradient)
        for_features = _overlapped(product(pixels, _rows(weight)), gradient)
        return for_features, _kernels(product(pixels.t(), _windows(features)))


class _Doubling(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(features, weight)
        return _overlapped(product(_pixels(features), _rows(weight)), features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        features, weight = ctx.saved_tensors
        windows = _windows(gradient)
        for_features = _empty(features, features.shape)
        product(windows, _rows(weight).t(), out=_pixels(for_features))
        return for_features, _kernels(product(_pixels(features).t(), windows))


def _pixels(features: Tensor) -> Tensor:
    """Features (B, C, H, W) as rows of pixels (B H W, C); a view in channels_last order."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def _empty(like: Tensor, shape: Sequence[int]) -> Tensor:
    """Room for features (B, C, H, W) in channels_last order."""
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _rows(weight: Tensor) -> Tensor:
    """Kernels (M, N, 4, 4) as a matrix (M, 16 N); a view in channels_last order."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _kernels(rows: Tensor) -> Tensor:
    """A matrix (M, 16 N) as kernels (M, N, 4, 4) in channels_last order; a view."""
    return rows.view(len(rows), _TAPS, _TAPS, -1).permute(0, 3, 1, 2)


def _windows(features: Tensor) -> Tensor:
    """The 4 x 4 windows, two pixels apart, of features (B, C, 2 H, 2 W) with a border of 0: (B H W, 16 C)."""
    padded = functional.pad(features, (1, 1, 1, 1)).permute(0, 2, 3, 1)
    windows = padded.unfold(1, _TAPS, 2).unfold(2, _TAPS, 2)
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)


def _overlapped(windows: Tensor, grid: Tensor) -> Tensor:
    """The sum of 4 x 4 windows (B H W, 16 C), two pixels apart, without the border: (B, C, 2 H, 2 W).

    Four windows meet in a pixel; they are added in float32 at least.
    """
    batch, _, height, width = grid.shape
    taps = windows.view(batch, height, width, 2, 2, 2, 2, -1)
    wide = torch.promote_types(windows.dtype, torch.float32)
    padded = windows.new_zeros((batch, height + 1, 2, width + 1, 2, taps.shape[-1]), dtype=wide)
    for down in (0, 1):
        for right in (0, 1):
            corner = taps[:, :, :, down, :, right].permute(0, 1, 3, 2, 4, 5)
            padded[:, down : down + height, :, right : right + width] += corner
    inner = padded.view(batch, 2 * height + 2, 2 * width + 2, -1)[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
    return _empty(windows, inner.shape).copy_(inner)
