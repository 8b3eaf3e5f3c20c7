import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from medp2p.networks import build_discriminator, build_generator
from medp2p.networks.channels_last import in_channels_last, instance_norm, relu_of_both

NARROW_OR_NOT = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


def dense(images: Tensor) -> bool:
    """Whether the strides are those of channels_last order, and cannot be read as any other."""
    _, channels, height, width = images.shape
    return images.stride() == (height * width * channels, 1, width * channels, channels)


def drawn(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_any_images_come_in_unmistakable_channels_last_order(channels: int, order: torch.memory_format) -> None:
    images = drawn(2, channels, 4, 6).contiguous(memory_format=order)
    assert dense(in_channels_last(images))
    assert torch.equal(in_channels_last(images), images)


def test_images_cut_out_of_others_come_dense() -> None:
    images = drawn(4, 3, 8, 8)[::2, 1:2, 2:6]
    assert dense(in_channels_last(images))
    assert torch.equal(in_channels_last(images), images)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_single_channel_keeps_every_layer_in_channels_last_order(norm: str) -> None:
    orders = []
    network = build_generator("unet_128", in_channels=1, out_channels=1, channels=4, norm=norm)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module is not network.up[0]:
            module.register_forward_hook(lambda _module, _given, answer: orders.append(dense(answer)))
    network(drawn(2, 1, 128, 128))
    assert orders == [True] * 13


@NARROW_OR_NOT
def test_relu_of_both_is_relu_of_cat_with_the_same_gradients(dtype: torch.dtype) -> None:
    first, second = (drawn(2, n, 4, 4, dtype=dtype, seed=n).requires_grad_() for n in (3, 5))
    gradient = drawn(2, 8, 4, 4, dtype=dtype, seed=9)
    plain = torch.relu(torch.cat([first, second], 1))
    joined = relu_of_both(first, second)
    assert torch.equal(joined, plain)
    for own, other in zip(
        torch.autograd.grad(joined, (first, second), gradient),
        torch.autograd.grad(plain, (first, second), gradient),
        strict=True,
    ):
        assert torch.equal(own, other)


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [1, 4])
def test_both_gradients_of_relu_of_both_are_dense(size: int, order: torch.memory_format) -> None:
    first, second = (drawn(2, n, size, size, seed=n).requires_grad_() for n in (3, 5))
    joined = relu_of_both(first, second)
    gradient = drawn(2, 8, size, size).contiguous(memory_format=order)
    assert dense(joined)
    assert all(dense(one) for one in torch.autograd.grad(joined, (first, second), gradient))


@pytest.mark.parametrize("kind", ["unet_128", "resnet_6"])
@pytest.mark.parametrize("narrow", [False, True])
def test_every_gradient_that_reaches_a_norm_is_dense(kind: str, narrow: bool) -> None:
    network = build_generator(kind, in_channels=1, out_channels=1, channels=4)
    orders = []

    def watch(_module: nn.Module, _given: object, answer: Tensor) -> None:
        answer.register_hook(lambda gradient: orders.append(dense(gradient)))

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(watch)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=narrow):
        predicted = network(drawn(2, 1, 128, 128))
    predicted.square().sum().backward()
    assert len(orders) == {"unet_128": 11, "resnet_6": 17}[kind]
    assert all(orders)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_and_its_gradient_are_those_of_its_formula(batch: int, order: torch.memory_format) -> None:
    features, gradient = (3 * drawn(batch, 6, 5, 7, seed=seed) + 2 for seed in (1, 2))
    exact = features.double().requires_grad_()
    deviation = (exact.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    formula = (exact - exact.mean((2, 3), keepdim=True)) / deviation
    (wanted,) = torch.autograd.grad(formula, exact, gradient.double())
    given = features.contiguous(memory_format=order).requires_grad_()
    normed = instance_norm(given)
    (found,) = torch.autograd.grad(normed, given, gradient.contiguous(memory_format=order))
    torch.testing.assert_close(normed.double(), formula, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(256, 256), (250, 30), (3, 2000)])
def test_instance_norm_is_exact_on_large_slices_far_from_zero(size: tuple[int, int]) -> None:
    features = drawn(1, 8, *size) + 5
    worst = (instance_norm(features).double() - functional.instance_norm(features.double())).abs().max()
    assert worst < 1e-5  # all pixels added up one after another: 5e-5


def test_instance_norm_keeps_its_statistics_in_float32() -> None:
    features = (drawn(2, 4, 64, 64) + 30).to(torch.bfloat16)
    exact = functional.instance_norm(features.double())
    worst = (instance_norm(features).double() - exact).abs().max()
    assert worst < 0.02  # half a step of bfloat16 at 4; with statistics in bfloat16 it is 0.3


@NARROW_OR_NOT
def test_instance_norm_runs_batch_norm_in_channels_last_order(dtype: torch.dtype) -> None:
    features = drawn(2, 4, 8, 8, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        normed = instance_norm(features)
        (gradient,) = torch.autograd.grad(normed, features, torch.ones_like(normed))
    calls = {event.key: event.count for event in profile.key_averages()}
    assert (calls["aten::native_batch_norm"], calls["aten::native_batch_norm_backward"]) == (2, 2)
    assert calls["aten::batch_norm_update_stats"] == 2
    assert not calls.keys() & {"aten::instance_norm", "aten::contiguous", "aten::clone"}
    assert dense(normed)
    assert dense(gradient)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_discriminator_activates_in_place(norm: str) -> None:
    places: list[tuple[int, int]] = []
    network = build_discriminator("patch", in_channels=2, channels=4, norm=norm)
    for stage in network.stages:
        last = stage.convolution if stage.norm is None else stage.norm
        last.register_forward_hook(lambda _module, _given, answer: places.append((answer.data_ptr(), 0)))
        stage.register_forward_hook(lambda _module, _given, answer: places.append((answer.data_ptr(), 1)))
    network(drawn(1, 2, 64, 64)).sum().backward()
    before, after = ([place for place, when in places if when == wanted] for wanted in (0, 1))
    assert before == after
