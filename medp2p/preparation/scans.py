"""The files of one raw case, each read once: its scans, and the masks with the scan on whose grid they lie."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medp2p.affine import is_orthogonal
from medp2p.body import BODY_HU
from medp2p.config.intensity_section import is_hu_name
from medp2p.errors import ConfigError, Fault, FileError, GeometryError, RegionError, tried
from medp2p.io import read_regions, read_volume
from medp2p.io.machine import naming
from medp2p.placement import placed_on
from medp2p.preparation.raw_cases import BODY, REGIONS, RawCase
from medp2p.regions import mask_of
from medp2p.volume import Volume

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask or label map on the grid of one of the scans.

    Attributes:
        labels: Shape of that scan.
        channel: Which scan.
        names: The name of each label; empty for a mask.
    """

    labels: NDArray[np.integer]
    channel: str
    names: Mapping[int, str]


@dataclass(frozen=True, eq=False)
class RawScans:
    """What the files of a case hold.

    Attributes:
        case: Where they come from.
        volumes: Each channel as scanned.
        onto: The channel whose grid all others are moved onto.
        body: The mask of the body that came with it.
        regions: The label map that came with it.
        hashes: SHA-256 of what each file holds, by role.
    """

    case: RawCase
    volumes: Mapping[str, Volume]
    onto: str
    body: Mask | None
    regions: Mask | None
    hashes: Mapping[str, str]


def read_scans(case: RawCase, *, onto: str | None = None, names: Mapping[int, str] | None = None) -> RawScans:
    """Read the files of a case.

    Args:
        case: Which files.
        onto: The channel whose grid is taken; None is the CT, or else the first by name.
        names: The name of each label of its regions; None lets a segmentation say, or calls labels by number.

    Raises:
        Medp2pError: Files that are refused; every fault of every file, with the case.
    """
    faults: list[Fault] = []
    target = _target(case, onto)
    read = {name: tried(faults, read_volume, path) for name, path in case.channels.items()}
    volumes = {name: volume for name, volume in read.items() if volume is not None}
    for name, volume in volumes.items():
        tried(faults, _refuse_shear, case.channels[name], volume)
        if is_hu_name(name) and float(volume.voxels.min()) >= BODY_HU:
            logger.warning(
                "%s: %s holds nothing below %g, so it may not be in HU, by which body and tissues are found in it",
                case.id, name, BODY_HU,
            )  # fmt: skip
    body = None if case.body is None else tried(faults, _body, case.body, volumes, target)
    regions = None if case.regions is None else tried(faults, _regions, case.regions, volumes, target, names)
    if faults:
        raise FileError.several(replace(fault, key=fault.key or case.id) for fault in faults)
    hashes = {name: volume.content_sha256() for name, volume in volumes.items()}
    hashes |= {role: _hash(mask, volumes) for role, mask in ((BODY, body), (REGIONS, regions)) if mask is not None}
    return RawScans(case, volumes, target, body, regions, hashes)


def _target(case: RawCase, onto: str | None) -> str:
    if onto is None:
        return next((name for name in case.channels if is_hu_name(name)), next(iter(case.channels)))
    if onto not in case.channels:
        raise ConfigError(
            None,
            "the case has no channel to move the others onto",
            key=f"{case.id}: onto",
            found=", ".join(case.channels),
            expected=onto,
            fix="add the scan, or name another channel with --set onto=NAME",
        )
    return onto


def _refuse_shear(path: Path, volume: Volume) -> None:
    if not is_orthogonal(volume.affine):
        raise GeometryError(
            path, "the grid is sheared, which a registration cannot work on", fix="resample it onto a straight grid"
        )


def _body(path: Path, volumes: Mapping[str, Volume], onto: str) -> Mask:
    with naming(path):
        volume = read_volume(path)
        inside = mask_of(volume.voxels).astype(np.uint8)
        if not inside.any():
            raise RegionError(path, "the mask of the body is empty", fix="correct it, or remove it: one is found then")
        return Mask(*_placed(inside, volume.affine, volumes, onto, "mask of the body"), {})


def _regions(path: Path, volumes: Mapping[str, Volume], onto: str, names: Mapping[int, str] | None) -> Mask:
    regions = read_regions(path, names)
    if len(regions.layers) > 1:
        raise RegionError(
            path,
            "segments that overlap, which one label map cannot hold",
            found=f"{len(regions.layers)} layers",
            expected="one",
            fix="save it as a label map",
        )
    with naming(path):
        return Mask(*_placed(regions.labels, regions.affine, volumes, onto, "label map"), dict(regions.names))


def _placed(
    labels: NDArray[np.integer], affine: NDArray[np.float64], volumes: Mapping[str, Volume], onto: str, name: str
) -> tuple[NDArray[np.integer], str]:
    """The labels on the scan whose grid they lie on, or a part of it: the fixed one, if it may be."""
    refusal: GeometryError | None = None
    for channel in sorted(volumes, key=lambda channel: channel != onto):
        try:
            return placed_on(labels, affine, volumes[channel], name=name), channel
        except GeometryError as error:
            refusal = refusal or error
    raise refusal or GeometryError(None, f"no scan that the {name} could lie on", fix="correct the faults of the scans")


def _hash(mask: Mask, volumes: Mapping[str, Volume]) -> str:
    content = Volume(mask.labels, volumes[mask.channel].affine).content_sha256()
    return sha256(f"{content} {mask.channel} {sorted(mask.names.items())}".encode()).hexdigest()
