"""The files of one case, each read once, as volumes, regions and a mask of the body on one grid."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medp2p.config import Config
from medp2p.data.cases import Case
from medp2p.data.picture_cases import check_size, read_pictures, refuse_picture
from medp2p.data.region_files import Names, on_grid, read_region_file
from medp2p.errors import Fault, FileError, tried
from medp2p.io import read_volume
from medp2p.io.machine import naming
from medp2p.picture import in_channels, is_picture
from medp2p.placement import placed_on
from medp2p.regions import Regions, mask_of
from medp2p.volume import Volume


@dataclass(frozen=True, eq=False)
class LoadedCase:
    """What the files of a case hold.

    Attributes:
        case: Where it comes from.
        images: Each image as its file holds it; their grids are compared by the checks, not here.
        volumes: Each channel: the images themselves, of pictures each colour.
        regions: Its label maps, on the grid of the first channel.
        body: True inside the body, in the axis order of the first channel.
        hashes: SHA-256 of what each file holds: each image, `regions`, `body`.
    """

    case: Case
    images: Mapping[str, Volume]
    volumes: Mapping[str, Volume]
    regions: Regions | None
    body: NDArray[np.bool_] | None
    hashes: Mapping[str, str]

    @property
    def grid(self) -> Volume:
        """The first channel, on whose grid everything lies."""
        return next(iter(self.volumes.values()))


def load_case(case: Case, config: Config, names: Names = None) -> LoadedCase:
    """Read the files of one case.

    A mask on the scan's own lattice that covers a part of it is placed into it.

    Args:
        case: Which files.
        config: Whose `regions.names` the labels have.
        names: The names of labels instead, where they were read already.

    Raises:
        FileError: Files that are refused: every fault of every file.
    """
    faults: list[Fault] = []
    known = config.regions.names if names is None else names
    images = _read_images(case, config, faults)
    volumes = in_channels(images) if config.data.pictures else images
    grid = _common_grid(volumes)
    layers = [tried(faults, _read_regions, case, number, grid, known) for number in range(len(case.regions))]
    body = None if case.body is None else tried(faults, _read_body, case.body, grid)
    if faults:
        raise FileError.several(faults)
    return LoadedCase(
        case=case,
        images=images,
        volumes=volumes,
        regions=(regions := _combined([layer for layer in layers if layer is not None])),
        body=body,
        hashes={name: volume.content_sha256() for name, volume in images.items()}
        | ({} if regions is None else {"regions": _hash_of_regions(regions)})
        | ({} if body is None else {"body": _hash_of(body)}),
    )


def _common_grid(volumes: Mapping[str, Volume]) -> Volume | None:
    """The first channel; None where there is none, or where another one lies elsewhere: no mask is to blame then."""
    first = next(iter(volumes.values()), None)
    return first if first is not None and all(map(first.same_grid, volumes.values())) else None


def _read_images(case: Case, config: Config, faults: list[Fault]) -> dict[str, Volume]:
    if config.data.pictures:
        return tried(faults, read_pictures, case, config) or {}
    read = {name: tried(faults, _read_scan, path, case) for name, path in case.files.items()}
    return {name: volume for name, volume in read.items() if volume is not None}


def _read_scan(path: Path, case: Case) -> Volume:
    return refuse_picture(path, read_volume(path), key=case.id)


def _read_regions(case: Case, number: int, grid: Volume | None, names: Names) -> Regions:
    path = case.regions[number]
    regions = read_region_file(path, names, number=number, several=len(case.regions) > 1, case=case.id)
    if grid is None:
        return regions
    if is_picture(grid):
        check_size(path, regions.shape, grid, key=case.id)
    return on_grid(regions, grid, path)


def _read_body(path: Path, grid: Volume | None) -> NDArray[np.bool_]:
    with naming(path):
        mask = read_volume(path)
        inside = mask_of(mask.voxels)
        if grid is None:
            return inside
        return placed_on(inside, mask.affine, grid, name="mask of the body")


def _combined(layers: Sequence[Regions]) -> Regions | None:
    return Regions.combine(*layers) if layers else None


def _hash_of_regions(regions: Regions) -> str:
    parts = (_hash_of(layer.labels) + repr(sorted(layer.names.items())) for layer in regions.layers)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _hash_of(array: NDArray[np.generic]) -> str:
    digest = hashlib.sha256(f"{array.dtype.kind}{array.shape}".encode())
    digest.update(np.asfortranarray(array).T.data)  # x fastest, as files have it: nothing is copied
    return digest.hexdigest()
