"""Small sets of picture pairs on disk, in every layout."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.config import Config, config_from_mapping
from medp2p.io import write_volume
from medp2p.picture import picture

Pixels = NDArray[Any]
SIZE = (12, 16)


def noise(seed: int, *, colours: int = 3, kind: str = "u1", size: tuple[int, int] = SIZE) -> Pixels:
    shape = size if colours == 1 else (*size, colours)
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, shape).astype(kind)


def put(path: Path, pixels: Pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(picture(pixels), path, overwrite=True)
    return path


def pair(number: int) -> dict[str, Pixels]:
    """Drawing and photograph of one case."""
    return {"label": noise(2 * number), "photo": noise(2 * number + 1)}


def two_folders(folder: Path, numbers: range = range(6), place: str = "{image}/{n}.png") -> Path:
    for number in numbers:
        for image, pixels in pair(number).items():
            put(folder / place.format(image=image, n=number), pixels)
    return folder


def halves(folder: Path, numbers: range = range(6)) -> Path:
    for number in numbers:
        put(folder / f"{number}.png", np.concatenate([pair(number)["photo"], pair(number)["label"]], axis=1))
    return folder


def config_of(folder: Path, **sections: Any) -> Config:
    """A configuration from drawings to photographs; `data` and other sections are merged into it."""
    data = {
        "kind": "pictures",
        "sources": "label",
        "target": "photo",
        "folder": str(folder),
        **sections.pop("data", {}),
    }
    smaller = {"generator": {"kind": "resnet_6"}, "preparation": {"size": [8, 8]}, "discriminator": {"kind": "pixel"}}
    return config_from_mapping({"data": {k: v for k, v in data.items() if v is not None}, **smaller, **sections})
