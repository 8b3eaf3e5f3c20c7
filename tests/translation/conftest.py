"""A small generator with random weights, as a model file."""

from pathlib import Path

import pytest

from medp2p.translation.description import Architecture, ChannelMap, Description, Preparation
from medp2p.translation.generator import build_network
from medp2p.translation.model_file import write_model

CT = ChannelMap(kind="window", low=-1000.0, high=2000.0, hu=True)
MR = ChannelMap(kind="percentile", low=0.5, high=99.5, hu=False)


def description(**changed: object) -> Description:
    parts: dict[str, object] = {
        "generator": Architecture(kind="resnet_6", channels=4, norm="instance", dropout=False),
        "sources": ("mr",),
        "targets": ("ct",),
        "preparation": Preparation(plane="axial", spacing_mm=(2.0, 2.0), context_slices=0),
        "intensity": {"mr": MR, "ct": CT},
        "precision": "fp32",
    }
    parts |= changed
    names = {name: f"{name}.nii.gz" for name in (*parts["sources"], *parts["targets"])}
    return Description(**({"files": names} | parts))


def save(folder: Path, said: Description) -> Path:
    path = folder / "generator.safetensors"
    write_model(path, build_network(said, seed=3).state_dict(), said)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(tmp_path, description())
