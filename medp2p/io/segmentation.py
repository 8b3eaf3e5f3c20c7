"""Segmentations of 3D Slicer (.seg.nrrd): layers that may overlap, and the names that they bring."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import RegionError
from medp2p.io.label_names import Groups, Names, label_of
from medp2p.io.machine import naming
from medp2p.io.nrrd import read_layers
from medp2p.regions import Regions

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class SegmentationLayer:
    """One layer: numbers of shape (X, Y, Z) on a grid, and the names that the file gives its labels."""

    labels: NDArray[Any]
    affine: NDArray[np.float64]
    names: Names

    def regions(self, path: PathLike, table: Mapping[int, str] | None, groups: Groups) -> Regions:
        """The layer as Regions, by the names of a table or, without one, by its own."""
        with naming(path):
            return Regions(self.labels, self.affine, self.names if table is None else table, groups=groups)


def read_segmentation(path: PathLike) -> list[SegmentationLayer] | None:
    """The layers of a segmentation; None for a NRRD file that says nothing of segments and has one layer.

    Raises:
        FileError: The file cannot be read.
        GeometryError: It does not say where it lies.
        RegionError: Several layers without names, or segments that contradict each other.
    """
    header, voxels = read_layers(path)
    names = _segments(path, header.pairs, header.layers)
    if not any(names):
        if header.layers == 1:
            return None
        raise RegionError(
            path,
            "several layers without names of segments",
            found=f"{header.layers} layers",
            fix="save it as a segmentation (.seg.nrrd) of 3D Slicer, or each layer as a file of its own",
        )
    return [SegmentationLayer(voxels[layer], header.affine, names[layer]) for layer in range(header.layers)]


def _segments(path: PathLike, pairs: Mapping[str, str], layers: int) -> list[Names]:
    """Names of each layer's labels; before Slicer 4.11 a segment had no label and a layer of its own."""
    names: list[Names] = [{} for _ in range(layers)]
    numbers = sorted(int(found[1]) for key in pairs if (found := re.fullmatch(r"Segment(\d{1,6})_Name", key)))
    for number in numbers:
        layer = label_of(pairs.get(f"Segment{number}_Layer", str(number if layers > 1 else 0)))
        label = label_of(pairs.get(f"Segment{number}_LabelValue", "1"))
        name = pairs[f"Segment{number}_Name"].strip()
        if layer is None or label is None or layer >= layers or not name or label in names[layer]:
            raise RegionError(
                path,
                "a segment whose name, layer or label is not to be understood",
                key=f"Segment{number}",
                expected=f"a layer below {layers} and a label of its own",
                fix="save the segmentation again with 3D Slicer",
            )
        names[layer][label] = name
    return names
