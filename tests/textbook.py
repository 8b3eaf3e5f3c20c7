"""The textbook networks of `benchmarks/peer.py`, by the names that medp2p gives them."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from torch import nn

_spec = spec_from_file_location("peer", Path(__file__).parents[1] / "benchmarks" / "peer.py")
peer = module_from_spec(_spec)
_spec.loader.exec_module(peer)

TEXTBOOK = {
    "unet_128": lambda **options: peer.UNetGenerator(halvings=7, **options),
    "unet_256": lambda **options: peer.UNetGenerator(halvings=8, **options),
    "resnet_6": lambda **options: peer.ResNetGenerator(blocks=6, **options),
    "resnet_9": lambda **options: peer.ResNetGenerator(blocks=9, **options),
    "patch": peer.PatchDiscriminator,
    "pixel": peer.PixelDiscriminator,
}


def textbook(kind: str, *, seed: int = 0, **options) -> nn.Module:
    """A textbook network whose weights, statistics included, are all drawn at random."""
    network = TEXTBOOK[kind](**options)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0, generator=generator)
        else:
            centre = 1.0 if tensor.ndim == 1 and name.endswith("weight") else 0.0
            tensor.normal_(centre, 0.02, generator=generator)
    return network
