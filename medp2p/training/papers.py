"""What a run folder says of itself: configuration, places of the data, and provenance.

Nothing here but `data.yaml` may hold a path of a patient's folder.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from medp2p.config import Config, config_from_mapping, load_config, read_strict_yaml, to_yaml
from medp2p.data.cases import Case
from medp2p.errors import ConfigError, FileError, ModelError
from medp2p.io.atomic import write_json, write_text

CONFIG_FILE, DATA_FILE, PROVENANCE_FILE = "config.yaml", "data.yaml", "provenance.json"
RESEARCH_USE = "Research use only: what this model makes is synthetic, and no scan. Not for diagnosis or treatment."
_PACKAGES = (
    "medp2p",
    "torch",
    "monai",
    "lightning-fabric",
    "numpy",
    "scipy",
    "scikit-image",
    "nibabel",
    "SimpleITK",
    "pydicom",
    "safetensors",
)


def write_config(folder: Path, config: Config) -> str:
    """Writes the resolved configuration, from which places were taken.

    Returns:
        SHA-256 of the text.
    """
    text = to_yaml(config)
    write_text(folder / CONFIG_FILE, text)
    return hashlib.sha256(text.encode()).hexdigest()


def read_config(folder: Path) -> Config:
    """The configuration that a run was trained with, without places.

    Raises:
        FileError: There is none.
        ConfigError: It was changed into something that is refused.
    """
    return load_config(folder / CONFIG_FILE, places=False)


def write_places(folder: Path, config: Config, cases: Iterable[Case]) -> None:
    """Writes where the files of every case are, relative to the run folder, so that a tree may be moved."""
    lines = ["# where the scans are, relative to this folder; read by `medp2p evaluate --run` alone, keep it at home"]
    lines += ["data:", f"  sources: [{', '.join(config.data.sources)}]", f"  target: [{', '.join(config.data.target)}]"]
    lines += ["  cases:"]
    for case in cases:
        entry: dict[str, Any] = {"id": case.id, "split": case.split, "patient": case.patient}
        entry |= {name: _relative(path, folder) for name, path in case.files.items()}
        if case.regions:
            entry["regions"] = [_relative(path, folder) for path in case.regions]
        if case.body:
            entry["body"] = _relative(case.body, folder)
        if case.allow:
            entry["allow"] = sorted(case.allow)
        lines.append(f"    - {json.dumps(entry, ensure_ascii=False)}")
    write_text(folder / DATA_FILE, "\n".join(lines) + "\n")


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return str(path)


def read_places(folder: Path) -> Mapping[str, Any]:
    """The section `data` that `write_places` wrote.

    Raises:
        FileError: There is none: the run was moved without it.
    """
    path = folder / DATA_FILE
    if not path.is_file():
        raise FileError(path, "nothing says where the scans of this run are",
                        fix="evaluate with -p and -r, or bring data.yaml back")  # fmt: skip
    content = read_strict_yaml(path).content
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        raise ConfigError(path, "this says nothing of scans", fix="bring the data.yaml of the run back")
    return data


def config_with_places(folder: Path) -> Config:
    """The configuration of a run with the places of its data filled in.

    Raises:
        Medp2pError: Either file is missing or refused.
    """
    config = read_config(folder)
    content = config.model_dump(mode="json")
    kept = {key: content["data"][key] for key in ("kind", "side_by_side", "bits")}
    content["data"] = {**kept, **read_places(folder), "store": None}
    return config_from_mapping(content, folder=folder)


def versions() -> dict[str, str]:
    """Versions of everything that decides on a result."""
    found = {"python": platform.python_version(), "system": platform.system(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def write_provenance(
    folder: Path,
    *,
    config: Config,
    config_sha256: str,
    cases: Sequence[Case],
    hashes: Mapping[str, Mapping[str, str]],
    device: str,
    world_size: int,
    precision: str,
) -> None:
    """Writes what the run was made with and of: versions, seed, device, hashes; cases by id alone."""
    splits = {split: [c.id for c in cases if c.split == split] for split in ("train", "validation", "test")}
    write_json(
        folder / PROVENANCE_FILE,
        {
            "note": RESEARCH_USE,
            "versions": versions(),
            "seed": config.training.seed,
            "device": device,
            "processes": world_size,
            "norm": config.generator.norm,
            "precision": precision,
            "config_sha256": config_sha256,
            "cases": splits,
            "input_sha256": {case: dict(sorted(found.items())) for case, found in sorted(hashes.items())},
        },
    )


def read_provenance(folder: Path) -> dict[str, dict[str, str]]:
    """The content hashes of the scans that a run was trained with, by case and role.

    Raises:
        ModelError: The file is missing or damaged.
    """
    path = folder / PROVENANCE_FILE
    try:
        content = json.loads(path.read_text("utf-8"))["input_sha256"]
        return {str(case): {str(role): str(sha) for role, sha in found.items()} for case, found in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelError(
            path, "the provenance of the run is missing or damaged", fix="bring it back, or train anew (--overwrite)"
        ) from None
