"""The U-Net with batch norm as a graph of OpenVINO (extra `openvino`): float32 on a CPU, the same numbers, faster.

Must import openvino only when a network is built.
"""

import threading
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from medp2p.networks.unet import UNet
from medp2p.translation.folded import fold_norms


def can_openvino(network: nn.Module, device: torch.device) -> bool:
    """Whether this is a U-Net with batch norm, on a CPU, and OpenVINO is installed."""
    norms = [module.norm for module in network.modules() if hasattr(module, "norm") and module.norm is not None]
    folds = isinstance(network, UNet) and all(isinstance(norm, nn.BatchNorm2d) for norm in norms)
    return folds and device.type == "cpu" and find_spec("openvino") is not None


class OpenVinoUNet:
    """A U-Net that OpenVINO computes, compiled for the shape of the slices that arrive.

    Args:
        network: A U-Net with batch norm in evaluation mode on the CPU. It is taken over and changed: use it no more.
    """

    def __init__(self, network: UNet) -> None:
        self._graph = _graph(fold_norms(network))
        first: Any = network.down[0]
        self._channels = first.convolution.in_channels
        self._compiling = threading.Lock()
        self._shape = (0, 0, 0)
        self._compiled: Any = None

    def __call__(self, slices: Tensor) -> Tensor:
        """Slices in [-1, 1], float32 (B, C, H, W), to float32 (B, D, H, W)."""
        batch, _, height, width = slices.shape
        with self._compiling:
            if self._shape[1:] != (height, width) or self._shape[0] < batch:
                self._compiled, self._shape = self._compile(batch, height, width), (batch, height, width)
            compiled, most = self._compiled, self._shape[0]
        missing = most - batch  # the last batch of a scan: cheaper filled up than compiled for
        whole = nn.functional.pad(slices, (0, 0, 0, 0, 0, 0, 0, missing)) if missing else slices
        request = compiled.create_infer_request()  # one for each thread that calls
        request.infer([whole.contiguous().numpy()])
        return torch.from_numpy(request.get_output_tensor(0).data[:batch].copy())

    def _compile(self, batch: int, height: int, width: int) -> Any:
        import openvino

        self._graph.reshape([batch, self._channels, height, width])
        options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        return openvino.Core().compile_model(self._graph, "CPU", options)


def _graph(network: Any) -> Any:
    import openvino
    from openvino import opset13 as ops

    source = ops.parameter([-1, network.down[0].convolution.in_channels, -1, -1], name="source")
    features, skips = source, []
    for stage in network.down:
        features = _biased(ops, ops.convolution(features, _weight(stage.convolution), *_STRIDES), stage.convolution)
        features = _leaky(ops, features, stage.slope)
        skips.append(features)
    features = skips.pop()
    for stage in reversed(network.up[1:]):
        features = ops.concat([skips.pop(), _doubled(ops, features, stage.convolution)], 1)
        features = ops.relu(features)
    return openvino.Model([ops.tanh(_doubled(ops, features, network.up[0]))], [source], "unet")


_STRIDES = [2, 2], [1, 1], [1, 1], [1, 1]
"""Strides, borders before and after, dilations of every layer."""


def _doubled(ops: Any, features: Any, layer: nn.ConvTranspose2d) -> Any:
    strides, before, after, dilations = _STRIDES
    made = ops.convolution_backprop_data(features, _weight(layer), strides, pads_begin=before, pads_end=after,
                                         dilations=dilations)  # fmt: skip
    return _biased(ops, made, layer)


def _leaky(ops: Any, features: Any, slope: float) -> Any:
    import numpy as np

    return ops.prelu(features, np.float32(slope)) if slope else ops.relu(features)


def _biased(ops: Any, features: Any, layer: nn.Conv2d | nn.ConvTranspose2d) -> Any:
    return features if layer.bias is None else ops.add(features, layer.bias.detach().numpy().reshape(1, -1, 1, 1))


def _weight(layer: nn.Conv2d | nn.ConvTranspose2d) -> Any:
    return layer.weight.detach().contiguous(memory_format=torch.contiguous_format).numpy()
