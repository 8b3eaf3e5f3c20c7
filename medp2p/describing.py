"""`medp2p info`: what a scan or a run is, as plain values."""

import csv
import hashlib
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medp2p.checking import MODELS, is_run_folder
from medp2p.errors import FileError, Medp2pError

if TYPE_CHECKING:
    from medp2p.translation.model_file import ModelHeader
    from medp2p.volume import Volume

MOST_REGIONS = 256  # more different values than that are no label map
LABEL_TABLE = "labels.yaml"


def info(target: str | PathLike[str], *, series: str | None = None) -> dict[str, Any]:
    """What is known of a target, JSON-able.

    Args:
        target: An image or DICOM series, a run folder, or a model file alone.
        series: SeriesInstanceUID, where a DICOM folder holds several.

    Raises:
        FileError: There is no such target, or it is damaged.
        ModelError: It is no model, or a damaged one.
    """
    path = Path(target)
    if not path.exists():
        raise FileError(target, "there is no such file or folder", fix="check the path as typed")
    if path.is_dir() and is_run_folder(path):
        return _run(path)
    if path.suffix.lower() in MODELS:
        return {"kind": "model"} | _model(path)
    return _scan(path, series)


def _scan(path: Path, series: str | None) -> dict[str, Any]:
    from medp2p.io import read_volume
    from medp2p.picture import is_picture

    if path.is_dir():
        return _series(path, series)
    volume = read_volume(path, series=series)
    if is_picture(volume):
        return {"kind": "picture"} | describe_picture(volume)
    return {"kind": "image"} | describe_volume(volume, _names_beside(path))


def _series(folder: Path, series: str | None) -> dict[str, Any]:
    """A DICOM series; its description and UIDs are left out, for names and dates stand in them."""
    from medp2p.io.dicom_read import load_series
    from medp2p.io.dicom_series import find_series

    found = find_series(folder, series=series)
    file = found.frames[0].file
    known: dict[str, Any] = {"kind": "series", "modality": found.modality}
    known |= {"series_number": int(file.number) if file.number else None, "images": len(found.frames)}
    return known | describe_volume(load_series(found), {}) | {"regions": None}


def describe_picture(picture: "Volume") -> dict[str, Any]:
    """Size, channels, depth and values of a picture.

    Examples:
        >>> import numpy as np
        >>> from medp2p.picture import picture
        >>> known = describe_picture(picture(np.full((4, 6, 3), 200, np.uint8)))
        >>> known["width"], known["height"], known["channels"], known["bits"], known["values"]["max"]
        (6, 4, 3, 8, 200.0)
    """
    from medp2p.picture import bits_of

    width, height, channels = picture.shape
    known = {"width": width, "height": height, "channels": channels, "bits": bits_of(picture)}
    return known | {"values": _values(picture), "content_sha256": picture.content_sha256()}


def describe_volume(volume: "Volume", names: Mapping[int, str]) -> dict[str, Any]:
    """Grid, codes and values of a scan; volumes of its regions where its values are labels.

    Args:
        volume: The scan.
        names: Names of labels; a label without one is called by its number.

    Examples:
        >>> import numpy as np
        >>> from medp2p.volume import Volume
        >>> labels = np.zeros((4, 4, 4), np.uint8)
        >>> labels[:2] = 1
        >>> known = describe_volume(Volume(labels, np.diag([1.0, 1.0, 5.0, 1.0])), {1: "brain"})
        >>> known["shape"], known["orientation"], known["regions"]
        ([4, 4, 4], 'RAS', {'brain': {'label': 1, 'voxels': 32, 'ml': 0.16}})
    """
    header = volume.header
    return {
        "shape": [int(size) for size in volume.shape],
        "spacing_mm": [round(float(step), 6) for step in volume.spacing_mm],
        "extent_mm": [round(float(n * step), 4) for n, step in zip(volume.shape, volume.spacing_mm, strict=True)],
        "orientation": volume.orientation,
        "origin_mm": [round(float(value), 4) for value in volume.affine[:3, 3]],
        "sform_code": int(header.sform_code),
        "qform_code": int(header.qform_code),
        "space_unit": header.space_unit,
        "type": str(volume.voxels.dtype),
        "values": _values(volume),
        "regions": _regions(volume, names),
        "content_sha256": volume.content_sha256(),
    }  # fmt: skip


def _values(volume: "Volume") -> dict[str, float]:
    import numpy as np

    voxels = volume.voxels
    low, middle, high = (float(value) for value in np.percentile(voxels, [0.5, 50, 99.5]))
    return {
        "min": float(voxels.min()), "p0.5": low, "median": middle, "p99.5": high, "max": float(voxels.max()),
        "mean": float(np.mean(voxels, dtype=np.float64)),
    }  # fmt: skip


def _regions(volume: "Volume", names: Mapping[int, str]) -> dict[str, Any] | None:
    import numpy as np

    voxels = volume.voxels
    if not np.issubdtype(voxels.dtype, np.integer) or voxels.min() < 0:
        return None
    labels, counts = np.unique(voxels, return_counts=True)
    if len(labels) > MOST_REGIONS or labels[0] != 0:
        return None
    ml = float(np.abs(np.linalg.det(volume.affine[:3, :3]))) / 1000
    return {
        names.get(int(label), str(int(label))): {
            "label": int(label), "voxels": int(count), "ml": round(int(count) * ml, 6)
        }
        for label, count in zip(labels, counts, strict=True)
        if label != 0
    }  # fmt: skip


def _names_beside(path: Path) -> Mapping[int, str]:
    """The names of labels in a labels.yaml beside the image, or beside its case folder."""
    from medp2p.io import read_label_table

    for folder in (path.parent, path.absolute().parent.parent):
        if (folder / LABEL_TABLE).is_file():
            try:
                return read_label_table(folder / LABEL_TABLE)[0]
            except Medp2pError:
                return {}  # the image is what was asked for; its labels keep their numbers
    return {}


def _run(folder: Path) -> dict[str, Any]:
    from medp2p.config import load_config
    from medp2p.io.json_read import read_object

    provenance = read_object(folder / "provenance.json") or {}
    known: dict[str, Any] = {"kind": "run"}
    if (folder / "generator.safetensors").is_file():
        known |= _model(folder / "generator.safetensors")
    cases = provenance.get("cases")
    if isinstance(cases, dict):
        known["cases"] = {split: ids for split, ids in cases.items() if isinstance(ids, list)}
    known["epochs"] = _last_epoch(folder / "history.csv")
    known["validation"] = _summary(folder / "validation" / "summary.csv")
    if (folder / "config.yaml").is_file():
        known["configuration"] = load_config(folder / "config.yaml", places=False).model_dump(mode="json")
        known["config_sha256"] = hashlib.sha256((folder / "config.yaml").read_bytes()).hexdigest()
    for name in ("seed", "device", "versions"):
        known[name] = provenance.get(name)
    known["store"] = _store(folder)
    return known


def _model(path: Path) -> dict[str, Any]:
    from medp2p.translation.model_file import read_header

    header = read_header(path)
    return {
        "translates": f"{', '.join(header.description.sources)} to {', '.join(header.description.targets)}",
        "parameters": _parameters(header),
        "sha256": header.sha256,
        "description_sha256": header.description_sha256,
        "runtime": _runtimes(header),
        "description": header.description.model_dump(mode="json"),
    }


def _runtimes(header: "ModelHeader") -> dict[str, str]:
    """By which runtime `translate` computes the model on this machine, in each precision, and why."""
    from medp2p.device import Precision, resolve_device
    from medp2p.networks import set_reference_habit
    from medp2p.translation.generator import build_network
    from medp2p.translation.runtime_choice import foreseen

    network, device = build_network(header.description).eval(), resolve_device("auto")
    set_reference_habit(network, header.description.habit == "training")
    said: dict[str, str] = {}
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        choice = foreseen(network, precision, device)
        speeds = ", ".join(f"{name} {speed:g}" for name, speed in choice.slices_per_second.items())
        said[precision] = f"{choice.runtime} ({choice.why}{f': {speeds} slices/s' if speeds else ''})"
    return said


def _parameters(header: "ModelHeader") -> int:
    """How many trained numbers there are, running statistics of norms left out."""
    total = 0
    for name, (_, shape, *_) in header.tensors.items():
        if not name.rpartition(".")[2].startswith(("running_", "num_batches")):
            count = 1
            for size in shape:
                count *= size
            total += count
    return total


def _last_epoch(history: Path) -> int | None:
    rows = _rows(history)
    try:
        return int(rows[-1]["epoch"]) if rows else None
    except (KeyError, ValueError, TypeError):
        return None


def _summary(path: Path) -> dict[str, dict[str, float]] | None:
    """Mean over patients of every region and metric that has one."""
    means: dict[str, dict[str, float]] = {}
    for row in _rows(path):
        try:
            mean = float(row["mean"])
        except (KeyError, ValueError, TypeError):
            continue
        if mean - mean == 0:  # infinity is no number of JSON
            means.setdefault(row.get("region", ""), {})[row.get("metric", "")] = mean
    return means or None


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []


def _store(folder: Path) -> dict[str, Any] | None:
    """The prepared slices beside the run folders, where they are by default."""
    store = folder.absolute().parent / ".medp2p-store"
    if not store.is_dir():
        return None
    files = [Path(place, name) for place, _, names in os.walk(store) for name in names]
    return {"files": len(files), "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1)}
