"""One case's files become its scores and pictures, or what refused them, in whichever process that is asked."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p._version import __version__
from medp2p.data.checks import beside_body
from medp2p.data.region_files import is_plain_mask, refuse_reserved
from medp2p.errors import Medp2pError, RegionError
from medp2p.evaluation.case import check_same_grid, prepare_case
from medp2p.evaluation.choice import check_kind, limits_of, protocol_called
from medp2p.evaluation.flat import in_one_colour, lies_on
from medp2p.evaluation.matching import CaseFiles
from medp2p.evaluation.pictures import pictures_of
from medp2p.evaluation.rows import Cell
from medp2p.evaluation.tiling import slowest_first
from medp2p.evaluation.unfinished import CaseResult, Unfinished
from medp2p.io import read_regions, read_volume
from medp2p.io.machine import naming
from medp2p.picture import is_picture
from medp2p.regions import Regions, mask_of
from medp2p.volume import Volume

logger = logging.getLogger(__name__)
Names = Mapping[int, str] | str | PathLike[str] | None
_REFUSED: Final = 2
"""Exit code of what is the case's own fault, and not the machine's."""


@dataclass(frozen=True)
class CaseWork:
    """What is done with every case; it travels to workers by pickle.

    Attributes:
        names: Label table of the maps.
        weighted: Regions that make up `weighted`.
        protocol: A name, or `auto`.
        unfinished: Where results and refusals are kept.
        threads: As for `evaluate`.
    """

    names: Names
    weighted: tuple[str, ...]
    protocol: str
    unfinished: Unfinished
    threads: int | None = None

    def begin(self) -> Callable[[CaseFiles], None]:
        """The work on one case: it keeps the result, or that the case was refused."""

        def work(files: CaseFiles) -> None:
            try:
                _score(files, self)
            except Medp2pError as refused:
                if refused.exit_code == _REFUSED:
                    self.unfinished.refuse(files.case, refused.faults)
                else:
                    raise

        return work


def _score(files: CaseFiles, work: CaseWork) -> None:
    """Score a case unless that was done before from the same contents."""
    predicted, reference = read_volume(files.predicted), files.read_reference()
    if files.reference_half is None and files.predicted.samefile(files.reference):
        logger.warning("%s: this prediction is the reference itself. Is it the right file?", files.predicted)
    with naming(files.predicted):
        check_same_grid(predicted, reference)
    limits = limits_of(reference)
    protocol = protocol_called(work.protocol, [limits])
    with naming(files.reference):
        check_kind(protocol, limits)
    if protocol.hu and not (given := limits_of(predicted)).has_air:
        logger.warning("%s: no air in this prediction: its 0.5th percentile is %g, the reference's %g. Is it in HU?",
                       files.predicted, given.air, limits.air)  # fmt: skip
    grid = in_one_colour(reference)
    regions, masks = _regions(files.regions, work.names, grid)
    for name, path in files.masks.items():
        if name in masks:
            raise RegionError(path, f"two masks are called {name}", fix="rename one of them")
        refuse_reserved(path, name)
        masks[name] = _mask(path, grid)
    body = None if files.body is None else read_volume(files.body)
    if body is not None and files.body is not None:
        with naming(files.body):
            body = grid.with_voxels(lies_on(mask_of(body.voxels), body.affine, grid, name="body mask"))
        if body.voxels.any() and not is_picture(reference):
            dice = beside_body(body.voxels, reference, hu=limits.has_air)
            if dice is not None:
                logger.warning("%s: this mask hardly overlaps the body found in the reference (Dice %.2f). "
                               "Is it turned inside out?", files.body, dice)  # fmt: skip
    own, _ = _regions({} if files.predicted_regions is None else {"": files.predicted_regions}, work.names, grid)
    hashes: dict[str, Cell] = {
        "predicted_sha256": predicted.content_sha256(),
        "reference_sha256": reference.content_sha256(),
    }
    key = _key(hashes, regions, masks, body, own)
    if work.unfinished.get(files.case, key) is not None:
        return
    with naming(next(iter(files.regions.values()), files.predicted)):
        case = prepare_case(
            predicted,
            reference,
            regions,
            body=body,
            masks=masks,
            weighted=work.weighted,
            protocol=work.protocol,
            case=files.case,
            patient=files.patient,
            predicted_regions=own,
            limits=limits,
        )
    source = None if files.source is None else read_volume(files.source)
    result = CaseResult(case.scores(threads=work.threads, facts=hashes), pictures_of(case, source))
    work.unfinished.put(files.case, key, result)


def _regions(
    paths: Mapping[str, Path], names: Names, reference: Volume
) -> tuple[Regions | None, dict[str, NDArray[Any]]]:
    """The label maps of a case as one, and those of several that are masks by their titles; names are the first's."""
    maps: dict[str, Regions] = {}
    masks = {}
    for number, (title, path) in enumerate(paths.items()):
        may_be_mask = len(paths) > 1 and (names is None or number > 0)
        regions = read_regions(path) if may_be_mask else read_regions(path, names)
        is_mask = may_be_mask and is_plain_mask(regions, named=names is not None)
        if may_be_mask and not is_mask and names is not None:
            regions = read_regions(path, names)
        with naming(path):
            placed = [lies_on(layer.labels, regions.affine, reference, name="label map") for layer in regions.layers]
        if is_mask:
            refuse_reserved(path, title)
            masks[title] = np.asarray(placed[0] > 0)
        else:
            maps[title] = regions
    if not maps:
        return None, masks
    several = _apart(maps) if names is None else [*maps.values()]
    return several[0] if len(several) == 1 else Regions.combine(*several), masks


def _apart(maps: Mapping[str, Regions]) -> list[Regions]:
    """Maps without a label table: a number that stands in several is a region of each, called by its map's title."""
    called = [name for regions in maps.values() for name in regions.region_names]
    twice = {name for name in called if called.count(name) > 1 and name.isdecimal()}

    def renamed(title: str, regions: Regions) -> Regions:
        if len(regions.layers) > 1 or not twice.intersection(regions.region_names):
            return regions
        names = {label: f"{title} {name}" if name in twice else name for label, name in regions.names.items()}
        return Regions(regions.labels, regions.affine, names)

    return [renamed(title, regions) for title, regions in maps.items()]


def _mask(path: Path, reference: Volume) -> NDArray[Any]:
    mask = read_volume(path)
    with naming(path):
        return lies_on(mask_of(mask.voxels), mask.affine, reference, name="mask")


def _key(*parts: object) -> str:
    """Hash of everything that a case's scores come from."""
    digest = sha256(__version__.encode())

    def take(part: object) -> None:
        if isinstance(part, Volume):
            take(part.voxels)
        elif isinstance(part, Regions):
            for layer in part.layers:
                take(layer.labels)
                take(sorted(layer.names.items()))
            take(sorted(part.groups.items()))
        elif isinstance(part, dict):
            for name, value in part.items():
                take(name)
                take(value)
        elif isinstance(part, np.ndarray):
            digest.update(repr((part.shape, part.dtype.str)).encode())
            digest.update(np.ascontiguousarray(part.transpose(slowest_first(part))).data)
        else:
            digest.update(repr(part).encode())

    for part in parts:
        take(part)
    return digest.hexdigest()
