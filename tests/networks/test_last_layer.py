import pytest
import torch
from torch.nn import functional

from medp2p.networks import build_generator
from medp2p.networks.last_layer import LastConvTranspose2d


@pytest.mark.parametrize("out_channels", [1, 3])
def test_the_last_layer_is_the_transposed_convolution_with_its_gradients(out_channels: int) -> None:
    torch.manual_seed(0)
    layer = LastConvTranspose2d(12, out_channels)
    features = torch.randn(3, 12, 6, 10).contiguous(memory_format=torch.channels_last).requires_grad_()
    plain = functional.conv_transpose2d(features, layer.weight, layer.bias, 2, 1)
    gradient = torch.randn_like(plain)
    found = layer(features)
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)
    for own, other in zip(
        torch.autograd.grad(found, (features, layer.weight, layer.bias), gradient),
        torch.autograd.grad(plain, (features, layer.weight, layer.bias), gradient),
        strict=True,
    ):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-4)


def test_the_last_layer_answers_in_float32_whatever_it_is_given() -> None:
    torch.manual_seed(0)
    layer = LastConvTranspose2d(12, 1)
    features = torch.randn(2, 12, 4, 4).to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(features)
    assert found.dtype == torch.float32
    plain = functional.conv_transpose2d(features.float(), layer.weight, layer.bias, 2, 1)
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)


def test_gradients_for_features_are_dense_and_as_narrow_as_the_features() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 12, 4, 4).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
    LastConvTranspose2d(12, 1)(features.requires_grad_()).sum().backward()
    assert features.grad.dtype == torch.bfloat16
    assert features.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kind", ["unet_128", "resnet_6"])
def test_a_generator_predicts_in_float32_under_autocast(kind: str) -> None:
    generator = build_generator(kind, in_channels=1, out_channels=1, channels=8).eval()
    source = torch.rand(1, 1, 128, 128)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        predicted = generator(source)
    assert predicted.dtype == torch.float32
    on_the_grid_of_bfloat16 = predicted == predicted.to(torch.bfloat16)
    assert on_the_grid_of_bfloat16.float().mean() < 0.1
