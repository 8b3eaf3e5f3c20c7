"""A set of synthetic façades on disk as the reference has its own: photograph and drawing side by side."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np

from medp2p.data.phantom_facade import PARTS, facade
from medp2p.io import write_volume
from medp2p.io.atomic import write_text
from medp2p.io.machine import as_file_error
from medp2p.picture import picture

Progress = Callable[[int, int, str], None]

SIZE = 256
"""Height and width of a façade."""
HELD_OUT = {"test": 5, "val": 10}
"""Every so many-th façade goes into these folders, the others into `train`."""


def write_facades(
    folder: str | PathLike[str],
    *,
    cases: int = 8,
    seed: int = 0,
    size: int = SIZE,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Writes pairs that `configs/facades.yaml` trains on as it stands.

    Args:
        folder: Gets `train/`, `val/` and `test/` with `facade_001.png` and so on, the photograph left, the drawing
            right; `regions/` in each of them with the parts as labels, and `labels.yaml` with their names.
        cases: How many; the first ones are the same however many there are.
        seed: Decides every pixel; not negative.
        size: Height and width of a half, in pixels.
        overwrite: Replace files of these names.
        progress: Called with how many are done, how many there are, and which.

    Returns:
        The pictures.
    """
    target, written = Path(folder), []
    for number in range(1, cases + 1):
        front, name = facade((seed, number), size=size), f"facade_{number:03d}.png"
        split = next((split for split, every in HELD_OUT.items() if number % every == every // 2), "train")
        place = target / split
        with as_file_error(place, doing="made"):
            (place / "regions").mkdir(parents=True, exist_ok=True)
        both = np.concatenate([front.photo, front.drawing], axis=1)
        write_volume(picture(both), place / name, overwrite=overwrite)
        write_volume(picture(front.regions), place / "regions" / name, overwrite=overwrite)
        written.append(place / name)
        if progress:
            progress(number, cases, name)
    table = "".join(f"{label}: {part}\n" for label, part in PARTS.items())
    write_text(target / "labels.yaml", table, overwrite=overwrite)
    return written
