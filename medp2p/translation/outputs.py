"""What lies beside every predicted image: a JSON that says what made it, and so whether it is finished."""

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from medp2p.errors import Medp2pError, OutputExistsError
from medp2p.io import image_stem, read_volume
from medp2p.io.json_read import STATEMENT_BYTES, read_object
from medp2p.translation.description import Description
from medp2p.volume import Volume

RESEARCH_USE = "Synthetic image made by a neural network. Research use only: not for diagnosis or treatment."


def versions() -> dict[str, str]:
    """Versions of what computes a prediction, for the record."""
    packages = ("medp2p", "torch", "numpy", "nibabel", "SimpleITK")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def voxels_sha256(volume: Volume) -> str:
    """Hash of the values of an image alone: shape, number type and voxels."""
    values = np.ascontiguousarray(volume.voxels, dtype=volume.voxels.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{values.dtype.str}{values.shape}".encode())
    digest.update(values.data)
    return digest.hexdigest()


def statement(
    target: str,
    description: Description,
    *,
    sha256: str,
    description_sha256: str,
    precision: str,
    device: str,
    inputs: Mapping[str, str],
    output: str,
    identity: str | None = None,
) -> dict[str, Any]:
    """What is written beside an output: the model, the input and the result by hash; no path and nothing of a patient.

    Args:
        target: Name of the predicted channel.
        description: The model's.
        sha256: Hash of the model's weights.
        description_sha256: Hash of the model's description.
        precision: In which it was computed.
        device: On which kind of device.
        inputs: Hash of the content of every source.
        output: Hash of the voxels.
        identity: Of a DICOM series: `kept`, or `pseudonym`.
    """
    said = {
        "synthetic": True,
        "note": RESEARCH_USE,
        "target": target,
        "unit": unit_of(description, target),
        "sha256": sha256,
        "description_sha256": description_sha256,
        "input_sha256": dict(inputs),
        "output_sha256": output,
        "precision": precision,
        "device": device,
        "versions": versions(),
    }
    return said if identity is None else said | {"identity": identity}


def unit_of(description: Description, target: str) -> str:
    """Of the values of a predicted scan or picture."""
    if description.pictures:
        return f"grey levels of {description.bits[target]} bits"
    return "HU" if description.intensity[target].hu else "arbitrary"


def json_beside(output: Path) -> Path:
    """Where an output says what made it: `NAME.json` beside `NAME.nii.gz`, or beside the DICOM folder NAME."""
    return output.with_name(f"{image_stem(output)}.json")


def read_statement(path: Path) -> dict[str, Any] | None:
    """What lies beside an output; None where there is none, or it is not one of ours."""
    found = read_object(path, most_bytes=STATEMENT_BYTES)
    ours = found is not None and found.get("synthetic") is True and "output_sha256" in found
    return found if ours else None


def same_work(found: dict[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Whether an output was made by this model, in this precision, from this input."""
    keys = ("target", "sha256", "description_sha256", "input_sha256", "precision")
    return found is not None and all(found.get(key) == wanted[key] for key in keys)


def is_intact(found: Mapping[str, Any], output: Path) -> bool:
    """Whether an output still holds the voxels that its JSON speaks of; a series without HU holds them rounded."""
    try:
        volume = read_volume(output)
    except Medp2pError:
        return False
    rounded = output.is_dir() and found.get("unit") != "HU"
    return rounded or bool(voxels_sha256(volume) == found["output_sha256"])


def refuse_foreign_json(path: Path, *, overwrite: bool) -> None:
    """Raise where the JSON to be written is somebody else's."""
    if path.exists() and read_statement(path) is None and not overwrite:
        raise OutputExistsError(
            path, "a JSON that medp2p did not write stands where an output's own belongs", fix="choose another name"
        )
