"""A tiny training, and how two runs are compared."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import torch

SETTINGS = {
    "regions": {"names": "labels.yaml", "weights": {"bone": 4.0}},
    "preparation": {"spacing_mm": None, "size": [48, 48]},
    "augmentation": {"flip": 0.5, "rotate_degrees": 10.0},
    "generator": {"kind": "resnet_6", "channels": 4, "norm": "batch"},
    "discriminator": {"kind": "patch", "channels": 4, "layers": 1},
    "training": {"epochs": 2, "decay_epochs": 1, "batch_size": 8, "precision": "fp32", "validate_every": 2},
}


def write_config(path: Path, heads: Path) -> Path:
    """The configuration of a tiny training on four heads."""
    files = {name: f"{name}.nii.gz" for name in ("mr", "ct", "regions", "body")}
    data = {"sources": ["mr"], "target": "ct", "folder": str(heads), "files": files,
            "split": {"validation": 0.25, "test": 0.25}}  # fmt: skip
    settings = SETTINGS | {"data": data}
    settings["regions"] = {**SETTINGS["regions"], "names": str(heads / "labels.yaml")}
    path.write_text(json.dumps(settings))
    return path


def stop_at(look: int) -> Callable[[], int | None]:
    """Told to stop when it is asked for the n-th time."""
    left = [look]

    def stop() -> int | None:
        left[0] -= 1
        return signal.SIGTERM if left[0] <= 0 else None

    return stop


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    state = torch.load(Path(run) / "last.pt", weights_only=True)
    tensors = {f"{net}.{name}": value for net in ("generator", "discriminator") for name, value in state[net].items()}
    for optimiser in ("optimizer_g", "optimizer_d"):
        for number, entry in state["update"][optimiser]["state"].items():
            tensors |= {f"{optimiser}.{number}.{name}": torch.as_tensor(value) for name, value in entry.items()}
    return tensors


def assert_same_weights(first: Path, second: Path) -> None:
    one, other = weights_of(first), weights_of(second)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def history(run: Path) -> list[list[str]]:
    rows = [line.split(",") for line in (Path(run) / "history.csv").read_text().splitlines()]
    speed = rows[0].index("slices_per_second")
    return [row[:speed] + row[speed + 1 :] for row in rows]
