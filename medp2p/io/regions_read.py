"""Files of regions to Regions: label maps, segmentations of 3D Slicer with their layers, and their names."""

import os
from collections.abc import Mapping
from pathlib import Path

from medp2p.errors import RegionError
from medp2p.io.label_names import Groups, Names, label_names
from medp2p.io.labels import read_label_table
from medp2p.io.machine import naming
from medp2p.io.names import image_extension, picture_extension
from medp2p.io.picture_read import read_label_picture
from medp2p.io.volumes import read_volume
from medp2p.regions import Regions

PathLike = str | os.PathLike[str]
NamesSource = Mapping[int, str] | PathLike | None


def read_regions(path: PathLike, names: NamesSource = None) -> Regions:
    """Read a label map, or a segmentation with several layers.

    Args:
        path: An image file whose values are integers (or within 1e-3 of them); a .seg.nrrd brings its own names; a
            picture in grey or with a palette, whose numbers are the labels.
        names: Label -> name (or the other way round), or a label table's path; None: each label is called by its
            number, or as the segmentation calls it.

    Returns:
        One layer, or one for each layer of the segmentation, so that masks may overlap.

    Raises:
        FileError: The file is missing, damaged or no image.
        GeometryError: It does not say where it lies.
        RegionError: Fractions, labels without a name, names that contradict each other.
    """
    table, groups = _names(names)
    if image_extension(path) in (".nrrd", ".nhdr"):
        from medp2p.io.segmentation import read_segmentation

        layers = read_segmentation(path)
        if layers is not None:
            if table is not None and len(layers) > 1:
                raise RegionError(
                    path,
                    f"a segmentation of {len(layers)} layers, whose labels no table can tell apart",
                    fix="leave the names out: the segmentation brings its own",
                )
            first, *others = (layer.regions(path, table, groups) for layer in layers)
            return Regions.combine(first, *others)
    volume = read_label_picture(path) if picture_extension(path) else read_volume(path)
    with naming(path):
        return Regions(volume.voxels, volume.affine, table, groups=groups)


def _names(names: NamesSource) -> tuple[Names | None, Groups]:
    if names is None:
        return None, {}
    if isinstance(names, Mapping):
        return label_names(names)
    return read_label_table(Path(names) if not isinstance(names, str) else names)
