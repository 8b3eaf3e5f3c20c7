"""What a generator of the reference pix2pix repository is, told from the names and shapes of its weights."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

_UNET, _RESNET = "model.model.0.weight", "model.1.weight"
_INNER = "model.model.1.model"


@dataclass(frozen=True)
class ReferenceArchitecture:
    """A generator, as a configuration describes one.

    Attributes:
        kind: A name of `medp2p.networks.generators`, or one of that form that is not there, as `unet_64`.
        channels: Features of the first layer.
        norm: batch, instance or none.
        dropout: Whether it was trained with dropout; None where the weights do not tell, as those of a U-Net.
        in_channels: Channels that it takes.
        out_channels: Channels that it makes.
    """

    kind: str
    channels: int
    norm: str
    dropout: bool | None
    in_channels: int
    out_channels: int

    def __str__(self) -> str:
        passed = f"{self.in_channels} in, {self.out_channels} out"
        return f"{self.kind} with {self.channels} channels, {self.norm} norm, {passed}"


def architecture_of(weights: Mapping[str, Tensor]) -> ReferenceArchitecture | None:
    """The generator that a state dict of the reference belongs to; None where it is no generator's.

    Examples:
        >>> from medp2p.networks import build_generator, reference_state_dict
        >>> network = build_generator("unet_128", in_channels=3, out_channels=1, channels=4, norm="instance")
        >>> str(architecture_of(reference_state_dict(network)))
        'unet_128 with 4 channels, instance norm, 3 in, 1 out'
    """
    if any(tensor.ndim != 4 for name, tensor in weights.items() if name in (_UNET, _RESNET)):
        return None
    return _unet(weights) or _resnet(weights)


def _unet(weights: Mapping[str, Tensor]) -> ReferenceArchitecture | None:
    first, last = weights.get(_UNET), weights.get("model.model.3.weight")
    if first is None or last is None or last.ndim != 4:
        return None
    inner, halvings = _INNER, 1
    while f"{inner}.1.weight" in weights:
        inner, halvings = f"{inner}.3.model", halvings + 1
    norm = _norm(weights, f"{_INNER}.2", f"{_INNER}.1")
    return ReferenceArchitecture(f"unet_{2**halvings}", first.shape[0], norm, None, first.shape[1], last.shape[1])


def _resnet(weights: Mapping[str, Tensor]) -> ReferenceArchitecture | None:
    first = weights.get(_RESNET)
    blocks = {name.split(".")[1] for name in weights if ".conv_block." in name}
    last = weights.get(f"model.{17 + len(blocks)}.weight")
    if first is None or last is None or last.ndim != 4 or not blocks:
        return None
    dropout = not any(".conv_block.5." in name for name in weights)
    norm = _norm(weights, "model.2", "model.1")
    return ReferenceArchitecture(f"resnet_{len(blocks)}", first.shape[0], norm, dropout, first.shape[1], last.shape[0])


def _norm(weights: Mapping[str, Tensor], norm: str, convolution: str) -> str:
    """Batch norm has weights of its own; before instance norm convolutions have a bias, which they lack without one."""
    if f"{norm}.weight" in weights:
        return "batch"
    return "instance" if f"{convolution}.bias" in weights else "none"
