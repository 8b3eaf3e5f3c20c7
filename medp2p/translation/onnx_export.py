"""A generator as ONNX with a JSON beside it, kept only once onnxruntime has given the model's own answers.

Must be imported only where an export was asked for: it needs the extra `onnx`.
"""

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medp2p.errors import ConfigError, ModelError
from medp2p.io.atomic import atomic_file, refuse_existing, write_bytes, write_json
from medp2p.networks.limits import size_multiple, smallest_size
from medp2p.translation.model_file import ModelHeader
from medp2p.translation.onnx_sidecar import sidecar

INPUT, OUTPUT = "source", "predicted"
_LARGEST_BYTES = 1_900_000_000
"""ONNX in one file is a protocol buffer, which ends at 2 GiB."""
_LARGEST_DIFFERENCE = 1e-4
"""Of values in [-1, 1]; 0.2 HU for the usual CT window. Rounding alone stays well below."""
_TALKATIVE = "torch.onnx._internal.exporter._registration"


@dataclass(frozen=True)
class Comparison:
    """How far onnxruntime's answers lie from the model's.

    Attributes:
        largest: Greatest difference of a value in [-1, 1].
        shapes: Of the inputs compared, (B, C, H, W).
    """

    largest: float
    shapes: tuple[tuple[int, ...], ...]


def export_onnx(network: nn.Module, header: ModelHeader, target: Path, *, overwrite: bool) -> None:
    """Writes `NAME.onnx` and `NAME.json`, for any batch, height and width that the network takes.

    Args:
        network: The generator in evaluation mode, float32, on the CPU.
        header: What its model file says of it.
        target: `NAME.onnx`.
        overwrite: Replace files that exist.

    Raises:
        ConfigError: The extra `onnx` is missing.
        ModelError: It translates with the reference's training habit, which is no function of a slice; it is too large
            for one file; or onnxruntime answers otherwise than the model.
        OutputExistsError: One of the files exists.
    """
    description = header.description
    beside = target.with_suffix(".json")
    for path in (target, beside):
        refuse_existing(path, overwrite=overwrite)
    _need_extra()
    if description.habit == "training":
        raise ModelError(target, "the model translates with dropout and the statistics of each batch",
                         fix="export one that translates as `network.eval()` does")  # fmt: skip
    if (
        size := sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    ) > _LARGEST_BYTES:
        raise ModelError(target, "the network is too large for one ONNX file", found=f"{size} bytes",
                         expected=f"at most {_LARGEST_BYTES}", fix="export it as .pth")  # fmt: skip
    kind = description.generator.kind
    multiple, smallest = size_multiple(kind), smallest_size(kind)
    text = {"medp2p_description": description.to_text(), "medp2p_sha256": header.sha256}
    content, opset = _exported(network, description.in_channels, multiple, smallest, text)
    compared = compare(network, content, description.in_channels, multiple, smallest)
    if not compared.largest <= _LARGEST_DIFFERENCE:
        raise ModelError(target, "onnxruntime gives other values than the model, and the file is not kept",
                         found=f"{compared.largest:.2g}", expected=f"at most {_LARGEST_DIFFERENCE}",
                         fix="report this with the versions of torch, onnx and onnxruntime")  # fmt: skip
    _write(target, beside, content, sidecar(
        header, onnx_sha256=hashlib.sha256(content).hexdigest(), opset=opset, largest=compared.largest,
        shapes=compared.shapes, versions={name: version(name) for name in ("torch", "onnx", "onnxruntime")},
    ), overwrite=overwrite)  # fmt: skip


def compare(network: nn.Module, content: bytes, channels: int, multiple: int, smallest: int) -> Comparison:
    """Runs an exported network on batches and slices of several sizes, and compares it with the network.

    Args:
        network: The network, in evaluation mode.
        content: It as ONNX.
        channels: Input channels.
        multiple: What height and width are multiples of.
        smallest: Their least value.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    larger = smallest + multiple
    shapes = ((1, channels, smallest, smallest), (3, channels, smallest, larger), (2, channels, larger, smallest))
    draw = torch.Generator().manual_seed(0)
    largest = 0.0
    for shape in shapes:
        slices = _like_scans(shape, draw)
        with torch.inference_mode():
            wanted = network(slices)
        given = torch.from_numpy(session.run([OUTPUT], {INPUT: slices.numpy()})[0])
        difference = float((given - wanted).abs().max()) if given.shape == wanted.shape else float("inf")
        largest = max(largest, difference) if difference == difference else float("inf")  # NaN
    return Comparison(largest, shapes)


def _like_scans(shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    """Smooth slices with noise in [-1, 1] and a rim of air, shape (B, C, H, W)."""
    coarse = torch.rand((*shape[:2], 8, 8), generator=draw) * 2 - 1
    slices = nn.functional.interpolate(coarse, shape[2:], mode="bilinear")
    slices += 0.1 * torch.randn(shape, generator=draw)
    slices[..., : shape[2] // 8, :] = -1
    return slices.clamp_(-1, 1)


def _need_extra() -> None:
    for module in ("onnx", "onnxscript", "onnxruntime"):
        try:
            import_module(module)
        except ImportError:
            raise ConfigError(None, "exporting to ONNX needs more packages", key="-o", found=f"no {module}",
                              fix="pip install 'medp2p[onnx]'") from None  # fmt: skip


def _exported(
    network: nn.Module, channels: int, multiple: int, smallest: int, text: dict[str, str]
) -> tuple[bytes, int]:
    """The network as ONNX with some text in it, and the version of the operators it is written in."""
    rows, columns = (multiple * torch.export.Dim(name) for name in ("rows", "columns"))
    example = torch.zeros(2, channels, smallest + multiple, smallest + 2 * multiple)
    with _quiet(), torch.inference_mode(mode=False):
        program: Any = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch"), 2: rows, 3: columns},),
            verbose=False,
        )
    program.model.metadata_props.update(text)
    return program.model_proto.SerializeToString(), int(program.model.opset_imports[""])


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on packages that nobody needs here."""
    talkative = logging.getLogger(_TALKATIVE)
    before = talkative.disabled
    talkative.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        talkative.disabled = before


def _write(target: Path, beside: Path, content: bytes, said: dict[str, Any], *, overwrite: bool) -> None:
    """First what describes it, then the network; if that fails, neither is left, or what was there before."""
    before = beside.read_bytes() if target.exists() and beside.exists() else None
    write_json(beside, said, overwrite=overwrite)
    try:
        with atomic_file(target, overwrite=overwrite) as file:
            file.write(content)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
            if before is not None:
                write_bytes(beside, before)
        raise
