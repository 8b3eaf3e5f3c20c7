"""Pairs of scans as files, for what is measured from files on."""

import argparse
from pathlib import Path

import numpy as np

from medp2p.config import Config, config_from_mapping
from medp2p.io import write_volume
from medp2p.volume import Volume

SPACING_MM = 1.25


def add_pairs(parser: argparse.ArgumentParser) -> None:
    """How many pairs, and of how many voxels."""
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 160))


def write_pairs(folder: Path, pairs: int, shape: tuple[int, int, int]) -> None:
    """Balls with a shell of bone, as MR and CT, noise on both."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij", sparse=True)
    distance = np.sqrt(x**2 + y**2 + z**2)
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    for number in range(pairs):
        values = np.random.default_rng(number)
        for name, levels, noise in (("mr", (500, 150, 0), (0, 20)), ("ct", (40, 900, -1000), (-20, 20))):
            clean = np.select([distance < 0.7, distance < 0.8], levels[:2], levels[2])
            (folder / f"S{number}").mkdir(exist_ok=True)
            scan = Volume((clean + values.integers(*noise, shape)).astype(np.int16), affine)
            write_volume(scan, folder / f"S{number}" / f"{name}.nii.gz")


def configuration(folder: Path, *, mask: bool) -> Config:
    """All pairs of the folder to train on."""
    data = {"sources": "mr", "target": "ct", "folder": str(folder), "split": {"validation": 0, "test": 0}}
    return config_from_mapping({"data": data, "preparation": {"mask_outside_body": mask}})
