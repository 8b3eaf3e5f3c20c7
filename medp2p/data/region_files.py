"""The label maps of one case from their files: one with the names of a table, further ones that may be plain masks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medp2p.io import image_stem, read_regions
from medp2p.io.machine import naming
from medp2p.placement import placed_on
from medp2p.regions import Regions
from medp2p.volume import CORNER_TOLERANCE_MM, Volume, corner_distance_mm

Names = Mapping[Any, Any] | str | Path | None
"""Label -> name, and `groups` if any; a label table's path, or the word of a known one; None: numbers are the names."""
_LABELS_OF_A_MASK = ({1}, {255}, set[int]())


def read_region_file(path: Path, names: Names = None, *, further: bool = False, case: str = "") -> Regions:
    """One label map, or one mask.

    Args:
        path: The file.
        names: Of the labels.
        further: It stands behind another file: if its only label is 1 or 255 it is a mask, called by its file's name.
        case: The id that is taken out of that name: `S01_lesions.nii.gz` of S01 is `lesions`.

    Raises:
        Medp2pError: The file is refused.
    """
    regions = read_regions(path, None if further else names)
    if not further or len(regions.layers) > 1:
        return regions
    labels = {label for label in regions.names if label}
    if labels not in _LABELS_OF_A_MASK:
        return regions if names is None else read_regions(path, names)
    stem = image_stem(path)
    name = (stem.replace(case, "").strip("_-. ") if case else "") or stem
    return Regions(regions.labels, regions.affine, dict.fromkeys(labels or {1}, name))


def on_grid(regions: Regions, scan: Volume, path: Path) -> Regions:
    """Regions on the grid of a scan, of which they may cover a part.

    Raises:
        GeometryError: They do not lie on the scan's lattice, or reach beyond it.
    """
    apart = corner_distance_mm(scan.shape, regions.affine, scan.affine)
    if regions.shape == scan.shape and apart <= CORNER_TOLERANCE_MM:
        return regions
    layers = []
    with naming(path):
        for layer in regions.layers:
            whole = placed_on(layer.labels, regions.affine, scan, name="label map")
            groups = {name: each for name, each in regions.groups.items() if set(each) <= set(layer.names.values())}
            layers.append(Regions(whole, scan.affine, layer.names, groups=groups))
    return Regions.combine(*layers)
