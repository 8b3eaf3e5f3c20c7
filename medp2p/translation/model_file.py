"""`generator.safetensors`: weights without pickle, with hashes over weights and description.

Must never build a network from what a file says before its text, its sizes and its hashes were checked.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medp2p.errors import ModelError
from medp2p.io.atomic import write_bytes
from medp2p.io.names import WEIGHTS_EXTENSIONS
from medp2p.translation.description import SCHEMA_VERSION, Description, text_sha256

if TYPE_CHECKING:
    import torch

MODEL_FILE = "generator.safetensors"
CARD_FILE = "model_card.md"
"""What a stranger must know, beside the model file; a training writes it at its end."""
STATE_FILE = "last.pt"
"""What a training goes on from."""
_LARGEST_HEADER_BYTES = 1 << 20
_ITEM_BYTES = {"F32": 4, "I64": 8}
_ASK_AGAIN = "copy the model again from where it was trained"


@dataclass(frozen=True)
class ModelHeader:
    """What a model file says before its weights.

    Attributes:
        description: All that translating needs beside the weights.
        sha256: Hash over the tensors' bytes in the order of their names.
        description_sha256: Hash over the text of the description.
        tensors: Type, shape and place of every tensor.
        data_start: Where the tensors' bytes begin in the file.
    """

    description: Description
    sha256: str
    description_sha256: str
    tensors: Mapping[str, tuple[str, tuple[int, ...], int, int]]
    data_start: int


def model_path(run: Path | str) -> Path:
    """The model file of a run folder, or the file itself.

    Raises:
        ModelError: There is neither.
    """
    path = Path(run)
    inside = path / MODEL_FILE
    if path.is_file() and path.suffix.lower() in WEIGHTS_EXTENSIONS:
        raise _of_the_reference(path, path)
    if path.is_dir() and inside.is_file():
        return inside
    if path.is_file():
        return path
    if path.is_dir():
        begun = any((path / name).is_file() for name in (STATE_FILE, "provenance.json"))
        weights = [] if begun else sorted(path.glob("*net_G.pth"))
        if weights:
            raise _of_the_reference(path, weights[0])
        raise ModelError(
            run,
            "its training has not finished an epoch" if begun else f"no {MODEL_FILE} in this folder",
            fix="go on with `medp2p train CONFIG --resume`" if begun else "give the folder that `medp2p train` made",
        )
    raise ModelError(run, "no such run folder or model file", fix="give the folder that `medp2p train` made")


def _of_the_reference(run: Path, weights: Path) -> ModelError:
    fix = f"make a run of them: `medp2p import {weights} -o RUN --set …`"
    return ModelError(run, "weights that do not say how a scan becomes their input", found=weights.name, fix=fix)


def write_model(path: Path, weights: Mapping[str, "torch.Tensor"], description: Description) -> str:
    """Writes weights and description into one file, whole or not at all.

    Args:
        path: The file; an older one is replaced.
        weights: Tensors by name, float32 or int64, on any device.
        description: All that translating needs.

    Returns:
        The SHA-256 over the tensors' bytes in the order of their names.
    """
    from safetensors.torch import save

    tensors = {name: weights[name].detach().cpu().contiguous().clone() for name in sorted(weights)}
    digest = hashlib.sha256()
    for tensor in tensors.values():
        digest.update(tensor.numpy().tobytes())
    text = description.to_text()
    metadata = {
        "schema_version": str(SCHEMA_VERSION),
        "sha256": digest.hexdigest(),
        "description": text,
        "description_sha256": text_sha256(text),
        "note": "medp2p generator; makes synthetic images; research use only",
    }
    write_bytes(path, _ordered(save(tensors, metadata)), overwrite=True)
    return digest.hexdigest()


def _ordered(raw: bytes) -> bytes:
    """The same file with its header in the order of names: the same model gives the same bytes."""
    start = 8 + int.from_bytes(raw[:8], "little")
    text = json.dumps(json.loads(raw[8:start]), sort_keys=True).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(raw)[start:]))


def read_header(path: Path) -> ModelHeader:
    """The checked text of a model file; its weights are not read.

    Raises:
        ModelError: It is no model of medp2p, is cut, comes from a newer medp2p, or its description was changed.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise _no_model(path, "no regular file")
    try:
        with path.open("rb") as file:
            size, length = path.stat().st_size, int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(_LARGEST_HEADER_BYTES, size - 8):
                raise _no_model(path, f"a header of {length} bytes in a file of {size}")
            content = json.loads(file.read(length))
    except OSError as error:
        raise ModelError(path, f"cannot be read: {error.strerror}", fix="check path and permissions") from None
    except (ValueError, RecursionError):
        raise _no_model(path, "a header that is no JSON") from None
    return _checked_header(path, content, 8 + length, size)


def _checked_header(path: Path, content: Any, data_start: int, size: int) -> ModelHeader:
    metadata = content.pop("__metadata__", None) if isinstance(content, dict) else None
    if not isinstance(metadata, dict) or not isinstance(version := metadata.get("schema_version"), str):
        raise _no_model(path, "no schema_version")
    if version != str(SCHEMA_VERSION):
        raise ModelError(
            path,
            "a model of another schema version",
            found=version[:20],
            expected=SCHEMA_VERSION,
            fix="install the medp2p that wrote it, or a newer one",
        )
    wanted = ("description", "description_sha256", "sha256")
    if not all(isinstance(metadata.get(name), str) for name in wanted):
        raise _no_model(path, f"no {', '.join(wanted)}")
    if not metadata["description"].isascii() or text_sha256(metadata["description"]) != metadata["description_sha256"]:
        raise ModelError(path, "the description does not fit its hash: the file was changed", fix=_ASK_AGAIN)
    return ModelHeader(
        description=Description.from_text(metadata["description"], path),
        sha256=metadata["sha256"],
        description_sha256=metadata["description_sha256"],
        tensors=_checked_tensors(path, content, size - data_start),
        data_start=data_start,
    )


def _checked_tensors(path: Path, content: dict[str, Any], bytes_there: int) -> dict[str, tuple[str, Any, int, int]]:
    tensors = {}
    for name, entry in content.items():
        try:
            kind, shape, (start, end) = (
                entry["dtype"],
                tuple(map(index, entry["shape"])),
                map(index, entry["data_offsets"]),
            )
            known = kind in _ITEM_BYTES
        except (KeyError, TypeError, ValueError):
            raise _no_model(path, "a tensor without type, shape or place") from None
        elements = 1
        for length in shape:
            elements *= length
        if (
            not known
            or min((0, *shape)) < 0
            or end - start != elements * _ITEM_BYTES[kind]
            or start % 8 % _ITEM_BYTES[kind]
        ):
            raise _no_model(path, f"tensor {name[:80]} of type {str(kind)[:8]} and shape {shape[:8]}")
        tensors[name] = (kind, shape, start, end)
    if sorted(place[2:] for place in tensors.values()) != _seamless(tensors.values()):
        raise _no_model(path, "tensors that overlap or leave gaps")
    if sum(end - start for *_, start, end in tensors.values()) != bytes_there:
        raise ModelError(path, "the file is cut or has bytes too many", found=f"{bytes_there} bytes", fix=_ASK_AGAIN)
    return tensors


def _seamless(places: Any) -> list[tuple[int, int]]:
    """Where the tensors would lie if each began where the one before it ended."""
    begin, seamless = 0, []
    for length in (end - start for *_, start, end in sorted(places, key=lambda place: place[2:])):
        seamless.append((begin, begin + length))
        begin += length
    return seamless


def read_weights(path: Path, header: ModelHeader, expected: Mapping[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """The weights of a model file, checked against their hash and the network they are for.

    Args:
        path: The file.
        header: What `read_header` gave.
        expected: The tensors of the network that the description names.

    Raises:
        ModelError: Names, shapes or the hash do not fit, or a weight is not finite.
    """
    import torch

    shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    if {name: shape for name, (_, shape, *_) in header.tensors.items()} != shapes:
        odd = sorted(set(shapes) ^ set(header.tensors)) or [n for n in shapes if shapes[n] != header.tensors[n][1]]
        raise ModelError(path, "weights that do not fit the network named", found=odd[0][:80], fix=_ASK_AGAIN)
    digest, weights = hashlib.sha256(), {}
    types = {"F32": torch.float32, "I64": torch.int64}
    with path.open("rb") as file:
        for name in sorted(header.tensors):
            kind, shape, start, end = header.tensors[name]
            # in memory of its own, which a runtime gives back as soon as it has made another weight of it
            flat = torch.zeros((end - start) // _ITEM_BYTES[kind], dtype=types[kind])
            file.seek(header.data_start + start)
            file.readinto(flat.numpy().data)
            digest.update(flat.numpy().data)
            weights[name] = flat.reshape(shape)
    if digest.hexdigest() != header.sha256:
        raise ModelError(path, "the weights do not fit their hash: the file is damaged", fix=_ASK_AGAIN)
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelError(path, "weights that are not finite", found=name[:80], fix=_ASK_AGAIN)
    return weights


def _no_model(path: Path, found: str) -> ModelError:
    return ModelError(
        path, "this is no model of medp2p", found=found, fix=f"give a run folder, or the {MODEL_FILE} of one"
    )
