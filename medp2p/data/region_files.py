"""The label maps of one case from their files: one with the names of a table, further ones that may be plain masks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medp2p.affine import CORNER_TOLERANCE_MM, corner_distance_mm
from medp2p.config.section import RESERVED_REGIONS
from medp2p.errors import RegionError
from medp2p.io import image_stem, label_names, read_label_table, read_regions
from medp2p.io.machine import naming
from medp2p.placement import placed_on
from medp2p.regions import Regions
from medp2p.volume import Volume

Names = Mapping[Any, Any] | str | Path | None
"""Label -> name, and `groups` if any; a label table's path, or the word of a known one; None: numbers are the names."""
_LABELS_OF_A_MASK = ({1}, {255}, set[int]())


def read_region_file(
    path: Path, names: Names = None, *, number: int = 0, several: bool = False, case: str = ""
) -> Regions:
    """One label map, or one of several, which may be a plain mask.

    A mask is called by its file's name. Of several maps without names those with one label are masks; with names
    those behind the first whose only label is 1 or 255: the names are the first one's.

    Args:
        path: The file.
        names: Of the labels.
        number: Which of several it is, from 0.
        several: Whether there are others.
        case: The id that is taken out of the name of a mask: `S01_lesions.nii.gz` of S01 is `lesions`.

    Raises:
        Medp2pError: The file is refused.
    """
    regions = _read(path, names, number, several, case)
    refuse_reserved(path, *regions.region_names)
    return regions


def refuse_reserved(path: Path, *names: str) -> None:
    """Refuse masks and segments that are called as rows of every score table are.

    Raises:
        RegionError: One of the names is reserved.
    """
    for name in names:
        if name in RESERVED_REGIONS:
            raise RegionError(path, f"a region cannot be called {name}",
                              expected=f"any name but {', '.join(RESERVED_REGIONS)}",
                              fix="rename the file or segment; a mask of the body is given as the body")  # fmt: skip


def _read(path: Path, names: Names, number: int, several: bool, case: str) -> Regions:
    if not several or (number == 0 and names is not None):
        return read_regions(path, names)
    regions = read_regions(path)
    is_mask = is_plain_mask(regions, named=names is not None)
    if len(regions.layers) > 1 or (names is None and not is_mask):
        return regions
    labels = {label for label in regions.names if label}
    if names is not None and not is_mask:
        table, groups = label_names(names) if isinstance(names, Mapping) else read_label_table(names)
        with naming(path):
            return Regions(regions.labels, regions.affine, table, groups=groups)
    stem = image_stem(path)
    name = (stem.replace(case, "").strip("_-. ") if case else "") or stem
    return Regions(regions.labels, regions.affine, dict.fromkeys(labels or {1}, name))


def is_plain_mask(regions: Regions, *, named: bool) -> bool:
    """Whether a label map, one of several, is a mask that its file names.

    Args:
        regions: Read without names.
        named: Whether there are names: then they are the first map's, and a further one is a mask if it holds 1 or
            255 alone. Without names a map with one label is a mask.
    """
    if len(regions.layers) > 1:
        return False
    labels = {label for label in regions.names if label}
    return labels in _LABELS_OF_A_MASK if named else len(labels) < 2


def on_grid(regions: Regions, scan: Volume, path: Path) -> Regions:
    """Regions on the grid of a scan, of which they may cover a part.

    Raises:
        GeometryError: They do not lie on the scan's lattice, or reach beyond it.
    """
    apart = corner_distance_mm(scan.shape, regions.affine, scan.affine)
    if regions.shape == scan.shape and apart <= CORNER_TOLERANCE_MM:
        return regions
    with naming(path):
        return regions.on_grid(lambda labels: placed_on(labels, regions.affine, scan, name="label map"), scan.affine)
