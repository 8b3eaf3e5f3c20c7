"""Weights of the reference pix2pix repository, in and out: its names for our layers.

Source: `models/networks.py` of pytorch-CycleGAN-and-pix2pix (commit 2a7afba).
"""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike, fspath
from typing import TypeVar

import torch
from torch import Tensor, nn

from medp2p.errors import Fault, FileError, ModelError, fault
from medp2p.networks.discriminator import Discriminator
from medp2p.networks.reference_architecture import ReferenceArchitecture, architecture_of
from medp2p.networks.resnet import ResNet
from medp2p.networks.unet import UNet

Network = TypeVar("Network", bound=nn.Module)

_WRAPPERS = ("module.", "_orig_mod.")  # DataParallel and torch.compile put these before every name
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def reference_state_dict(network: nn.Module) -> dict[str, Tensor]:
    """The network's weights under the names of the reference repository, ready for `torch.save`.

    Args:
        network: A generator or discriminator of medp2p.

    Returns:
        Detached tensors that share memory with the network where that order is the usual one.

    Raises:
        ModelError: The network is none of medp2p's.
    """
    names = reference_names(network)
    return {_renamed(key, names): tensor.detach().contiguous() for key, tensor in network.state_dict().items()}


def load_reference_weights(network: Network, weights: str | PathLike[str] | Mapping[str, Tensor]) -> Network:
    """Takes the weights of a `latest_net_G.pth` or `latest_net_D.pth` of the reference repository.

    Args:
        network: A generator or discriminator of medp2p of the same architecture; changed in place.
        weights: The file, read without running any code in it, or a state dict.

    Returns:
        The network.

    Raises:
        FileError: The file cannot be read.
        ModelError: It holds something else, or a generator of another architecture, or weights that do not fit; of
            these every one is listed.
    """
    path = None if isinstance(weights, Mapping) else fspath(weights)
    given = _tensors(weights)
    if isinstance(network, ResNet):
        names = reference_names(network, dropout=not any(".conv_block.5." in key for key in given))
    else:
        names = reference_names(network)
    own = network.state_dict()
    ours = {_renamed(key, names): key for key in own}
    given = {key: tensor for key, tensor in given.items() if key in ours or key.rpartition(".")[2] not in _STATISTICS}
    wanted = {theirs: own[key] for theirs, key in ours.items()}
    refuse_other_generator(given, wanted, path)
    faults = _differences(given, wanted, path)
    if faults:
        raise ModelError.several(faults)
    network.load_state_dict({**own, **{ours[key]: tensor for key, tensor in given.items()}})
    return network


def architecture_of_reference(weights: str | PathLike[str] | Mapping[str, Tensor]) -> ReferenceArchitecture:
    """What a generator of the reference repository is, told from its weights.

    Args:
        weights: As for `load_reference_weights`.

    Raises:
        FileError: The file cannot be read.
        ModelError: It holds no weights of a generator.
    """
    found = architecture_of(_tensors(weights))
    if found is None:
        path = None if isinstance(weights, Mapping) else fspath(weights)
        fix = "give a *_net_G.pth of the reference repository"
        raise ModelError(path, "holds no generator of the reference", fix=fix)
    return found


def reference_names(network: nn.Module, *, dropout: bool | None = None) -> dict[str, str]:
    """The reference's name for each layer of ours.

    Args:
        network: A generator or discriminator of medp2p.
        dropout: Whether a ResNet's names are those of one with dropout, which shifts two numbers in every block;
            None: as the network is.

    Raises:
        ModelError: The network is none of medp2p's.
    """
    if isinstance(network, UNet):
        return _unet_names(len(network.down))
    if isinstance(network, ResNet):
        has_dropout = any(isinstance(module, nn.Dropout) for module in network.modules())
        return _resnet_names(len(network.blocks), has_dropout if dropout is None else dropout)
    if isinstance(network, Discriminator):
        return _pixel_names() if network.last.kernel_size == (1, 1) else _patch_names(len(network.stages))
    raise ModelError(
        None, "the reference has no such network", found=type(network).__name__, fix="build it with medp2p.networks"
    )


def _unet_names(halvings: int) -> dict[str, str]:
    """Blocks nested in one another: the outermost has its inner block at 1, every other at 3."""
    names = {"down.0.convolution": "model.model.0", "up.0": "model.model.3"}
    inside = "model.model.1.model"
    for k in range(1, halvings):
        deepest = k == halvings - 1
        numbers = (1, None, 3, 4) if deepest else (1, 2, 5, 6)
        layers = (f"down.{k}.convolution", f"down.{k}.norm", f"up.{k}.convolution", f"up.{k}.norm")
        names |= {layer: f"{inside}.{number}" for layer, number in zip(layers, numbers, strict=True)}
        inside += ".3.model"
    return names


def _resnet_names(blocks: int, dropout: bool) -> dict[str, str]:
    """One sequence in which padding, ReLU and dropout count as well."""
    names = {"entry.convolution": "model.1", "entry.norm": "model.2"}
    for k in (0, 1):
        names |= {f"down.{k}.convolution": f"model.{4 + 3 * k}", f"down.{k}.norm": f"model.{5 + 3 * k}"}
    layers = "first.convolution", "first.norm", "convolution", "norm"
    for k in range(blocks):
        numbers = (1, 2, 6, 7) if dropout else (1, 2, 5, 6)
        block = f"model.{10 + k}.conv_block"
        names |= {f"blocks.{k}.{layer}": f"{block}.{number}" for layer, number in zip(layers, numbers, strict=True)}
    after = 10 + blocks
    for k in (0, 1):
        names |= {f"up.{k}.convolution": f"model.{after + 3 * k}", f"up.{k}.norm": f"model.{after + 1 + 3 * k}"}
    return names | {"last": f"model.{after + 7}"}


def _patch_names(stages: int) -> dict[str, str]:
    """One sequence: a convolution and its activation, then convolution, norm and activation again and again."""
    names = {"stages.0.convolution": "model.0", "last": f"model.{3 * stages - 1}"}
    for k in range(1, stages):
        names |= {f"stages.{k}.convolution": f"model.{3 * k - 1}", f"stages.{k}.norm": f"model.{3 * k}"}
    return names


def _pixel_names() -> dict[str, str]:
    return {
        "stages.0.convolution": "net.0",
        "stages.1.convolution": "net.2",
        "stages.1.norm": "net.3",
        "last": "net.5",
    }


def _renamed(key: str, names: Mapping[str, str]) -> str:
    layer, _, tensor = key.rpartition(".")
    return f"{names[layer]}.{tensor}"


def _read(path: str) -> Mapping[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        fix = "give the path of a .pth file"
        raise FileError(path, "cannot be read", found=error.strerror or str(error), fix=fix) from error
    except Exception as error:  # whatever the bytes of a damaged file make of torch
        raise _not_weights(path, type(error).__name__) from error
    if not isinstance(found, Mapping):
        raise _not_weights(path, type(found).__name__)
    return found


def _not_weights(path: str | None, found: str) -> ModelError:
    fix = "give a *_net_G.pth or *_net_D.pth of the reference repository"
    return ModelError(path, "holds no weights", found=found, expected="names and tensors alone", fix=fix)


def _tensors(weights: str | PathLike[str] | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a file, or those given, by their names."""
    if isinstance(weights, Mapping):
        return _unwrapped(weights, None)
    return _unwrapped(_read(fspath(weights)), fspath(weights))


def _unwrapped(weights: Mapping[str, Tensor], path: str | None) -> dict[str, Tensor]:
    """The tensors by name, without the marks of wrappers and without the note on versions."""
    unwrapped = {}
    for key, tensor in weights.items():
        if key == "_metadata":
            continue
        if not isinstance(key, str) or not isinstance(tensor, Tensor):
            raise _not_weights(path, f"{key!r}: {type(tensor).__name__}")
        while key.startswith(_WRAPPERS):
            key = key.partition(".")[2]
        unwrapped[key] = tensor
    return unwrapped


def refuse_other_generator(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: str | None) -> None:
    """Raise once where two generators differ as a whole, which every one of their weights would say again.

    Args:
        given: Weights under the names of the reference repository.
        wanted: Those of the network they are for.
        path: The file they come from.

    Raises:
        ModelError: They are of another kind, width, norm, or of other channels.
    """
    found, own = architecture_of(given), architecture_of(wanted)
    if found and own and replace(found, dropout=own.dropout) != own:
        raise ModelError(path, "these are the weights of another generator", found=found, expected=own,
                         fix="set generator.kind, generator.channels, generator.norm, sources and target as they were "
                         "trained")  # fmt: skip


def _differences(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: str | None) -> list[Fault]:
    """What keeps the given weights from being those of a network that wants these."""
    fix = "build the network with the kind, channels, layers and norm that the weights were trained with"
    faults = [fault(path, "is in the weights, not in the network", key=key, fix=fix) for key in given.keys() - wanted]
    for key, own in wanted.items():
        if key not in given:
            if not key.endswith("num_batches_tracked"):  # older files lack it
                faults.append(fault(path, "is missing from the weights", key=key, fix=fix))
        elif given[key].shape != own.shape:
            found, expected = tuple(given[key].shape), tuple(own.shape)
            faults.append(fault(path, "has another shape", found=found, expected=expected, key=key, fix=fix))
        elif not given[key].isfinite().all():
            faults.append(fault(path, "is not finite", key=key, fix="take the weights of an earlier epoch"))
    return sorted(faults, key=lambda fault: fault.key or "")
