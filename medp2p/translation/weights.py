"""Weights of the reference pix2pix repository in and out: `medp2p import` and `medp2p export`."""

import logging
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from medp2p.config import Config, config_from_mapping, to_yaml, with_forms
from medp2p.errors import ConfigError, FileError, ModelError, OutputExistsError
from medp2p.io.atomic import atomic_file, refuse_existing, write_json, write_text
from medp2p.io.machine import file_error
from medp2p.picture import PictureForm
from medp2p.translation.described import describe
from medp2p.translation.generator import build_network, load_network
from medp2p.translation.model_file import MODEL_FILE, ModelHeader, write_model
from medp2p.translation.outputs import versions

if TYPE_CHECKING:
    from torch import nn

    from medp2p.networks.reference_architecture import ReferenceArchitecture

logger = logging.getLogger(__name__)

PathLike_ = str | PathLike[str]


def import_weights(
    weights: PathLike_,
    run: PathLike_,
    *,
    set: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Makes a run folder that translates of a generator that the reference repository trained.

    Args:
        weights: `latest_net_G.pth`, or any state dict with the reference's names.
        run: The folder to make.
        set: `section.key=VALUE`: `data.sources`, `data.target`, and whatever else differs from the defaults; kind,
            channels and norm of the generator follow from the weights.
        overwrite: Replace an imported run.

    Returns:
        The run folder.

    Raises:
        ConfigError: Sources or target are missing, or a value is refused.
        ModelError: The weights are no such weights, or of another network than the configuration names.
        OutputExistsError: The folder is not empty.
    """
    folder = Path(run)
    _refuse(folder, overwrite=overwrite)
    if not Path(weights).exists():
        raise FileError(weights, "there is no such file", fix="give the path of a .pth file")
    from medp2p.networks import architecture_of_reference, load_reference_weights

    set = [set] if isinstance(set, str) else set
    _refuse_nameless(set)
    found = architecture_of_reference(weights)
    given = config_from_mapping({}, [*_generator_of(weights, found), *set], places=False)
    config = _with_channels_of(weights, found, given)
    description = describe(config, limits={}, precision="fp32")
    network = build_network(description, seed=0)
    load_reference_weights(network, weights)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(folder, error, doing="made") from None
    sha256 = write_model(folder / MODEL_FILE, network.state_dict(), description)
    _write_papers(folder, config, sha256)
    return folder


def _refuse_nameless(given: Sequence[str]) -> None:
    """Raise where nothing says what the generator translates.

    Raises:
        ConfigError: `data.sources` or `data.target` is missing.
    """
    sections = [text.partition("=")[0].strip() for text in given]
    missing = [key for key in ("data.sources", "data.target") if not {key, "data"} & {*sections}]
    if missing:
        fix = "add --set data.sources=SOURCE --set data.target=TARGET, for pictures also --set data.kind=pictures"
        raise ConfigError(None, "weights do not say what they translate into what", key="--set",
                          found=f"no {', no '.join(missing)}", fix=fix)  # fmt: skip


def _generator_of(weights: PathLike_, found: "ReferenceArchitecture") -> list[str]:
    """What the weights say of the configuration, as `--set` has it, so that the user's own word comes after it.

    Raises:
        ModelError: There is no such generator here.
    """
    from medp2p.networks import generators

    if found.kind not in generators or found.norm == "none":
        raise ModelError(weights, "the weights are of a generator that is not here", found=found,
                         expected=f"{', '.join(generators)}; batch or instance norm",
                         fix="take another checkpoint, or train one of these")  # fmt: skip
    said = [f"generator.kind={found.kind}", f"generator.channels={found.channels}", f"generator.norm={found.norm}"]
    return said if found.dropout is None else [*said, f"generator.dropout={str(found.dropout).lower()}"]


def _with_channels_of(weights: PathLike_, found: "ReferenceArchitecture", config: Config) -> Config:
    """A configuration of pictures with the channels that the weights have: all 1, or all 3 on each side.

    Raises:
        ModelError: The weights are of another number of channels.
    """
    if not config.data.pictures:
        return config
    data, channels = config.data, (found.in_channels, found.out_channels)
    forms: dict[str, PictureForm] = {}
    for key, images, count in zip(
        ("data.sources", "data.target"), (data.source_images, data.target_images), channels, strict=True
    ):
        each = next((n for n in (1, 3) if n * len(images) == count), None)
        named = sum(len(data.images[name]) for name in images)
        if each is None and named != count:
            raise ModelError(weights, "the weights do not have so many channels", key=key, found=count,
                             expected=f"1 or 3 for each of {', '.join(images)}",
                             fix="name every picture; colours apart are NAME.red, NAME.green, NAME.blue")  # fmt: skip
        forms |= {name: PictureForm(each or len(data.images[name]), data.bits.get(name, 8)) for name in images}
    return with_forms(config, forms)


def _refuse(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise FileError(folder, "a run folder cannot be made: a file has its name", fix="choose another -o")
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if names and not overwrite:
        raise OutputExistsError(folder, "the folder is not empty", fix="choose another -o, or ask with --overwrite")
    if names - {MODEL_FILE, "config.yaml", "provenance.json", "model_card.md"}:
        raise OutputExistsError(
            folder, "the folder holds more than an imported run", fix="choose another -o: nothing else is replaced"
        )


def _write_papers(folder: Path, config: Config, sha256: str) -> None:
    write_text(folder / "config.yaml", to_yaml(config.without_places()))
    write_json(folder / "provenance.json", {"imported": True, "sha256": sha256, "versions": versions()})
    card = (
        "# Model card\n\nImported weights of the reference pix2pix repository. Research use only.\n\n"
        f"- from {', '.join(config.data.source_images)} to {', '.join(config.data.target_images)}\n"
        "- trained on: unknown to medp2p\n- scored: never by medp2p; run `medp2p evaluate` before relying on it\n"
    )
    write_text(folder / "model_card.md", card)


def export_weights(run: PathLike_, output: PathLike_, *, overwrite: bool = False) -> Path:
    """Writes the generator of a run as a file that other programs read.

    Args:
        run: A run folder or model file.
        output: `NAME.pth` for the reference pix2pix repository; `NAME.onnx`, with `NAME.json` beside it that says how a
            scan becomes its input.
        overwrite: Replace a file that exists.

    Returns:
        The file.

    Raises:
        ConfigError: The extension is none of these, or the extra `onnx` is missing.
        ModelError: The model cannot be read, or not be exported so that it gives the same values.
        OutputExistsError: The file exists.
    """
    target = Path(output)
    write = _EXPORTS.get(target.suffix.lower())
    if write is None:
        raise ConfigError(output, "an extension that is no export", key="-o", found=target.suffix or "none",
                          expected=", ".join(_EXPORTS), fix="write NAME.pth or NAME.onnx")  # fmt: skip
    refuse_existing(target, overwrite=overwrite)
    network, header = load_network(Path(run))
    write(network.eval(), header, target, overwrite)
    return target


def _write_pth(network: "nn.Module", header: ModelHeader, target: Path, overwrite: bool) -> None:
    import torch

    from medp2p.networks import reference_state_dict

    with atomic_file(target, overwrite=overwrite) as file:
        torch.save({name: tensor.contiguous() for name, tensor in reference_state_dict(network).items()}, file)


def _write_onnx(network: "nn.Module", header: ModelHeader, target: Path, overwrite: bool) -> None:
    from medp2p.translation.onnx_export import export_onnx

    export_onnx(network, header, target, overwrite=overwrite)


_EXPORTS = {".pth": _write_pth, ".onnx": _write_onnx}
