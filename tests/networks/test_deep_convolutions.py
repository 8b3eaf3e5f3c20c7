import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from medp2p.networks.deep_convolutions import DoublingConvTranspose2d, HalvingConv2d

PLAIN = {HalvingConv2d: functional.conv2d, DoublingConvTranspose2d: functional.conv_transpose2d}
EITHER = pytest.mark.parametrize("kind", PLAIN)


def products(layer: nn.Module, features: Tensor) -> int:
    """How many matrix products a layer runs."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, torch.no_grad():
        layer(features)
    kinds = {"aten::mm", "mkldnn::_linear_pointwise"}
    return sum(event.count for event in profile.key_averages() if event.key in kinds)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    images = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return images.contiguous(memory_format=torch.channels_last)


def dense(images: Tensor) -> bool:
    return images.permute(0, 2, 3, 1).is_contiguous()


@EITHER
@pytest.mark.parametrize("size", [(2, 2), (2, 6), (4, 2)])
@pytest.mark.parametrize("bias", [True, False])
def test_products_are_the_convolution_with_its_gradients(kind: type, size: tuple[int, int], bias: bool) -> None:
    layer = kind(96, 160, bias=bias).to(memory_format=torch.channels_last)
    features = drawn(2, 96, *size).requires_grad_()
    assert products(layer, features) == 1
    plain = PLAIN[kind](features, layer.weight, layer.bias, 2, 1)
    found = layer(features)
    gradient = drawn(*plain.shape, seed=1)
    wanted = torch.autograd.grad(plain, (features, *layer.parameters()), gradient)
    gradients = torch.autograd.grad(found, (features, *layer.parameters()), gradient)
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)
    for own, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=2e-5)


@EITHER
def test_products_and_their_gradients_are_dense_in_channels_last_order(kind: type) -> None:
    layer = kind(96, 160, bias=False).to(memory_format=torch.channels_last)
    features = drawn(2, 96, 4, 4).requires_grad_()
    found = layer(features)
    found.backward(torch.ones_like(found))
    assert dense(found)
    assert dense(features.grad)
    assert layer.weight.grad.stride() == layer.weight.stride()


@EITHER
def test_products_follow_autocast_and_keep_the_gradient_of_weights_wide(kind: type) -> None:
    layer = kind(96, 160, bias=True).to(memory_format=torch.channels_last)
    features = drawn(2, 96, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(features)
        plain = PLAIN[kind](features, layer.weight, layer.bias, 2, 1)
    found.float().sum().backward()
    assert found.dtype == torch.bfloat16
    assert layer.weight.grad.dtype == torch.float32
    torch.testing.assert_close(found, plain, rtol=0.02, atol=0.02)


@EITHER
def test_a_large_grid_is_left_to_the_convolution(kind: type) -> None:
    assert products(kind(8, 8, bias=False), drawn(1, 8, 32, 32)) == 0
