import pytest
import torch

from medp2p.networks import build_generator


@pytest.mark.parametrize(("kind", "norm"), [("unet_128", "batch"), ("resnet_6", "instance")])
def test_an_exported_generator_is_made_of_operations_that_any_runtime_knows(kind: str, norm: str) -> None:
    generator = build_generator(kind, in_channels=1, out_channels=1, channels=4, norm=norm).eval()
    source = torch.rand(1, 1, 128, 128)
    with torch.no_grad():
        exported = torch.export.export(generator, (source,), strict=False)
        torch.testing.assert_close(exported.module()(source), generator(source), rtol=0, atol=1e-4)
    operations = {str(node.target) for node in exported.graph.nodes if node.op == "call_function"}
    assert operations <= {
        f"aten.{name}.default"
        for name in (
            "conv2d", "conv_transpose2d", "batch_norm", "group_norm", "leaky_relu_", "relu", "relu_", "tanh", "cat",
            "pad", "dropout", "contiguous", "clone",
        )
    } | {"aten.conv_transpose2d.input", "aten.add.Tensor"}  # fmt: skip
