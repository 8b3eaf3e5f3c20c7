"""The generator of a model: the network that its description names, and the weights of its file in it.

Importing it loads no torch, so that a file that is no model is told at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.networks import build_generator
from medp2p.translation.description import Description
from medp2p.translation.model_file import ModelHeader, model_path, read_header, read_weights

if TYPE_CHECKING:
    from torch import nn


def build_network(description: Description, *, seed: int | None = None) -> "nn.Module":
    """The generator that a description names.

    Args:
        description: Of a model.
        seed: Of its first weights; None leaves them to be loaded with `assign=True`.
    """
    generator = description.generator
    return build_generator(
        generator.kind,
        in_channels=description.in_channels,
        out_channels=len(description.targets),
        channels=generator.channels,
        norm=generator.norm,
        dropout=generator.dropout,
        seed=seed,
    )


def load_network(run: Path) -> "tuple[nn.Module, ModelHeader]":
    """The generator of a run folder or model file with its weights, in training mode as any new module, and the header.

    Raises:
        ModelError: It is no model, is damaged, or comes from a newer medp2p.
    """
    path = model_path(run)
    header = read_header(path)
    network = build_network(header.description)
    network.load_state_dict(read_weights(path, header, network.state_dict()), assign=True)
    return network, header


def in_channels_last(network: "nn.Module") -> "nn.Module":
    """The network with the weights of its convolutions in the order that convolutions are fastest in."""
    import torch

    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network
