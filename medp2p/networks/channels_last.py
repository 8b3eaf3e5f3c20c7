"""Operations that keep activations and their gradients dense in channels_last order, where torch's own do not.

The numbers are those of the operations they stand for; only the order in memory, and with it the speed, differs.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_STRIP_PIXELS = 1024  # added up one after another in float32 without harm


def in_channels_last(images: Tensor) -> Tensor:
    """The same images, dense in channels_last order, said unmistakably.

    With one channel the usual strides read as channels-first as well, and a convolution then answers in
    channels-first order, as does every layer after it. The strides given here cannot be misread.

    Args:
        images: Slices or features, shape (B, C, H, W).

    Examples:
        >>> in_channels_last(torch.zeros(2, 1, 4, 8)).stride()
        (32, 1, 8, 1)
    """
    if images.shape[1] != 1 or torch.compiler.is_compiling():
        return images.contiguous(memory_format=torch.channels_last)
    _, _, height, width = images.shape
    return images.contiguous().as_strided(images.shape, (height * width, 1, width, 1))


def relu_of_both(first: Tensor, second: Tensor) -> Tensor:
    """`relu(cat([first, second], dim=1))`, with dense gradients for both.

    The gradient of `cat` is a narrowed view. Batch norm, which comes before it, takes a path many times slower on
    such a view than on a dense gradient.

    Args:
        first: Features, shape (B, C, H, W).
        second: Features on the same grid, shape (B, D, H, W).

    Returns:
        Shape (B, C + D, H, W), dense in channels_last order.
    """
    if torch.compiler.is_compiling():
        return torch.relu(torch.cat([first, second], dim=1))
    if not torch.is_grad_enabled():
        return torch.relu_(torch.cat([first, second], dim=1))
    joined: Tensor = _ReluOfBoth.apply(first, second)  # type: ignore[no-untyped-call]  # torch's
    return joined


class _ReluOfBoth(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        batch, channels, height, width = first.shape
        joined = torch.empty(
            (batch, channels + second.shape[1], height, width),
            dtype=torch.promote_types(first.dtype, second.dtype),
            device=first.device,
            memory_format=torch.channels_last,
        )
        torch.clamp_min(first, 0, out=joined[:, :channels])
        torch.clamp_min(second, 0, out=joined[:, channels:])
        ctx.save_for_backward(joined)
        ctx.dtypes = first.dtype, second.dtype
        ctx.channels = channels
        return joined

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        (joined,) = ctx.saved_tensors
        parts = (slice(None, ctx.channels), slice(ctx.channels, None))
        first, second = (
            torch.ops.aten.threshold_backward(gradient[:, part], joined[:, part], 0)
            .to(dtype)
            .contiguous(memory_format=torch.channels_last)
            for part, dtype in zip(parts, ctx.dtypes, strict=True)
        )
        return first, second


def instance_norm(features: Tensor, *, eps: float = 1e-5) -> Tensor:
    """Every channel of every slice with mean 0 and variance 1, as `torch.nn.functional.instance_norm`.

    On a CPU this runs torch's batch norm slice by slice into one channels_last buffer, several times faster than
    its own instance norm in that order. Statistics are float32 whatever the features are, and taken of a strip at a
    time, for torch adds up 65536 pixels one after another; and the gradient is right for a batch of one, where that
    of torch's instance norm (2.13) is wrong in channels_last order.

    Args:
        features: Shape (B, C, H, W), at least two pixels in a slice.
        eps: Added to the variance.

    Returns:
        Shape (B, C, H, W).
    """
    if features.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.nn.functional.group_norm(features, features.shape[1], eps=eps)
    normed: Tensor = _InstanceNorm.apply(features, eps)  # type: ignore[no-untyped-call]  # torch's
    return normed


class _InstanceNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, eps: float) -> Tensor:
        features = in_channels_last(features)
        batch, channels = features.shape[:2]
        normed = torch.empty_like(features)
        dtype = torch.promote_types(features.dtype, torch.float32)
        mean, scale = torch.empty(2, batch, channels, dtype=dtype).unbind()
        gain, offset = torch.ones(channels, dtype=dtype), torch.zeros(channels, dtype=dtype)
        unused = torch.empty(2, 0, dtype=dtype).unbind()
        for k in range(batch):
            one, into = features[k : k + 1], (normed[k : k + 1], *unused)
            mean[k], variance = _statistics(one, gain, offset)
            scale[k] = (variance + eps).rsqrt()
            torch.native_batch_norm(one, gain, offset, mean[k], variance, False, 0.0, eps, out=into)
        ctx.save_for_backward(features, mean, scale, gain)
        ctx.eps = eps
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        features, mean, scale, gain = ctx.saved_tensors
        gradient = in_channels_last(gradient)
        passed_on = torch.empty_like(features)
        for k in range(len(features)):
            one, its_gradient = features[k : k + 1], gradient[k : k + 1]
            passed_on[k : k + 1] = torch.ops.aten.native_batch_norm_backward(
                its_gradient, one, gain, None, None, mean[k], scale[k], True, ctx.eps, [True, False, False]
            )[0]
        return passed_on, None


def _statistics(one: Tensor, *buffers: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel of a slice (1, C, H, W); the buffers (C) say in which type, and stay."""
    strips = torch.split(one, max(1, _STRIP_PIXELS // one.shape[3]), dim=2)
    means, variances = (
        torch.stack(found)
        for found in zip(
            *(torch.ops.aten.batch_norm_update_stats(strip, *buffers, 0.0) for strip in strips), strict=True
        )
    )
    share = torch.tensor([[strip.shape[2] / one.shape[2]] for strip in strips], dtype=means.dtype)
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean).square())).sum(0)
