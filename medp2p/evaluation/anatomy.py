"""Which regions of a case are scored, in which order, and that their names are sound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from medp2p.body import find_body
from medp2p.errors import GeometryError, RegionError
from medp2p.evaluation.scored_region import Mask, ScoredRegion, bounding_box, of_labels, of_mask, union
from medp2p.placement import placed_on
from medp2p.regions import Regions, mask_of, unknown_region
from medp2p.volume import Volume

RESERVED: Final = ("volume", "body", "weighted", "outside")
"""Regions that every case has, whatever its label map."""
FOUND = {
    True: "no body mask: found on the reference, above -500 HU, largest part, filled slice by slice",
    False: "no body mask: found on the reference, Gaussian, above 0.35 x Otsu, largest part, filled slice by slice",
}
"""What the rows of a body say that no mask came for, for HU and for other scans."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """The regions of one case.

    Attributes:
        regions: In the order of the rows; `weighted` and `outside` are absent where no region weighs above 1.
        body: True in the body, shape (X, Y, Z).
        found: Why the body had to be found; None where a mask was given.
    """

    regions: tuple[ScoredRegion, ...]
    body: Mask
    found: str | None


def anatomy_of(
    reference: Volume,
    regions: Regions | None,
    body: Volume | NDArray[Any] | None,
    masks: Mapping[str, Volume | NDArray[Any]],
    weighted: Sequence[str],
    *,
    hu: bool,
) -> Anatomy:
    """Volume, body, named regions, masks, weighted and outside of one case.

    Args:
        reference: The acquired scan.
        regions: Label maps; they may cover a part of the scan.
        body: Mask of the body, a volume or an array of the scan's shape, above 0 inside; None: it is found.
        masks: Further regions by name, volumes or arrays of the scan's shape.
        weighted: Names of the regions that make up `weighted`.
        hu: Whether the reference is in HU, for finding the body.

    Raises:
        RegionError: A name is reserved, comes twice or is unknown; a mask is fractional.
        GeometryError: A mask is on another grid.
    """
    inside = _found_body(reference, hu) if body is None else _as_mask(body, reference, "body")
    whole = np.broadcast_to(np.True_, reference.shape)
    everywhere = tuple(slice(0, n) for n in reference.shape)
    named = [] if regions is None else placed_regions(regions, reference, inside)
    named += [of_mask(name, _as_mask(mask, reference, name), inside) for name, mask in masks.items()]
    _check_names([region.name for region in named])
    first = [
        ScoredRegion("volume", None, ((whole, True),), everywhere),
        ScoredRegion("body", None, ((inside, True),), bounding_box(inside)),
    ]
    found = FOUND[hu] if body is None else None
    if not weighted:
        return Anatomy((*first, *named), inside, found)
    heavy = union("weighted", [_region_called(name, named) for name in weighted], inside)
    outside = ScoredRegion("outside", None, first[1].parts, first[1].box, without=(heavy,))
    return Anatomy((*first, *named, heavy, outside), inside, found)


def _found_body(reference: Volume, hu: bool) -> Mask:
    found = find_body(reference.to_ras(), hu=hu)
    return reference.from_ras(found).voxels.view(bool)


def _as_mask(mask: Volume | NDArray[Any], reference: Volume, name: str) -> Mask:
    if isinstance(mask, Volume):
        return placed_on(mask_of(mask.voxels), mask.affine, reference, name=f"{name} mask")
    array = np.asarray(mask)
    if array.shape != reference.shape:
        raise GeometryError(
            None,
            f"the mask {name} differs from the scan in shape",
            found=array.shape,
            expected=reference.shape,
            fix="resample it onto the scan with nearest neighbours",
        )
    return array if array.dtype == bool else mask_of(array)


def placed_regions(regions: Regions, reference: Volume, within: Mask | None = None) -> list[ScoredRegion]:
    """The regions of label maps, which may cover a part of the scan.

    Raises:
        GeometryError: A map lies on another grid.
    """
    placed = [placed_on(layer.labels, regions.affine, reference, name="label map") for layer in regions.layers]
    return list(of_labels(regions, within, placed))


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name in RESERVED:
            raise RegionError(
                None,
                f"a region cannot be called {name}",
                expected=f"any name but {', '.join(RESERVED)}",
                fix="rename it in the label table",
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RegionError(
            None, f"two regions are called {', '.join(twice)}", fix="rename one of them, or its mask's file"
        )


def _region_called(name: str, regions: Sequence[ScoredRegion]) -> ScoredRegion:
    for region in regions:
        if region.name == name:
            return region
    raise unknown_region(name, [region.name for region in regions], key="weighted")
