"""Slices that a network cannot take are refused in its own words, and compilers see nothing of it."""

import pytest
import torch

from medp2p.errors import GeometryError
from medp2p.networks import build_discriminator, build_generator


def generator(kind: str, norm: str = "batch") -> torch.nn.Module:
    return build_generator(kind, in_channels=2, out_channels=1, channels=4, norm=norm).eval()


@pytest.mark.parametrize(
    ("kind", "shape", "expected", "fix"),
    [
        ("unet_128", (1, 1, 128, 128), "(B, 2, H, W), H and W multiples of 128", "give 2 channels, or build the"),
        ("unet_128", (1, 2, 128, 192), "(B, 2, H, W), H and W multiples of 128", "pad the slices"),
        ("unet_128", (1, 2, 0, 128), "(B, 2, H, W), H and W multiples of 128", "pad the slices"),
        ("unet_256", (1, 2, 128, 256), "(B, 2, H, W), H and W multiples of 256", "pad the slices"),
        ("resnet_6", (1, 2, 10, 12), "(B, 2, H, W), H and W multiples of 4, at least 8", "pad the slices"),
        ("resnet_6", (1, 2, 4, 8), "(B, 2, H, W), H and W multiples of 4, at least 8", "pad the slices"),
        ("resnet_6", (2, 8, 8), "(B, 2, H, W), H and W multiples of 4, at least 8", "give a batch of slices"),
    ],
)
def test_a_generator_names_the_shape_given_and_the_shape_it_takes(
    kind: str, shape: tuple[int, ...], expected: str, fix: str
) -> None:
    with pytest.raises(GeometryError) as refused:
        generator(kind)(torch.zeros(shape))
    assert isinstance(refused.value, ValueError)
    assert f"(found {shape}, expected {expected}). Fix: {fix}" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        ("patch", (1, 3, 64, 64), "(B, 2, H, W), H and W at least 24"),
        ("patch", (1, 2, 64, 23), "(B, 2, H, W), H and W at least 24"),
        ("pixel", (1, 1, 64, 64), "(B, 2, H, W), H and W at least 1"),
    ],
)
def test_a_discriminator_does_too(kind: str, shape: tuple[int, ...], expected: str) -> None:
    judge = build_discriminator(kind, in_channels=2, channels=4)
    with pytest.raises(GeometryError) as refused:
        judge(torch.zeros(shape))
    assert f"(found {shape}, expected {expected})" in str(refused.value)


def test_the_smallest_slices_that_are_taken_are_computed() -> None:
    assert generator("resnet_6")(torch.zeros(1, 2, 8, 12)).shape == (1, 1, 8, 12)
    assert generator("unet_128")(torch.zeros(1, 2, 128, 256)).shape == (1, 1, 128, 256)
    judge = build_discriminator("patch", in_channels=2, channels=4, norm="batch").eval()
    assert judge(torch.zeros(1, 2, 24, 25)).shape == (1, 1, 1, 1)


@pytest.mark.parametrize(("kind", "norm"), [("unet_128", "batch"), ("resnet_6", "instance")])
def test_a_network_is_compiled_in_one_piece_for_batches_and_sizes_of_all_kinds(kind: str, norm: str) -> None:
    network = generator(kind, norm)
    compiled = torch.compile(network, backend="eager", fullgraph=True, dynamic=True)
    for shape in ((2, 2, 128, 128), (3, 2, 256, 128)):
        source = torch.rand(shape)
        with torch.no_grad():
            torch.testing.assert_close(compiled(source), network(source), rtol=0, atol=1e-4)


def test_an_export_leaves_batch_and_size_open() -> None:
    batch = torch.export.Dim("batch", min=1, max=64)
    rows = 4 * torch.export.Dim("rows", min=3, max=200)
    network = generator("resnet_6", "instance")
    exported = torch.export.export(
        network, (torch.rand(2, 2, 16, 16),), dynamic_shapes=({0: batch, 2: rows},), strict=False
    )
    source = torch.rand(3, 2, 24, 16)
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(source), network(source), rtol=0, atol=1e-4)
