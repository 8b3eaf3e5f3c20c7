"""Pictures among what is scored: SSIM in two dimensions, and regions that hold in every colour."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import GeometryError
from medp2p.evaluation.one_pass import Sums
from medp2p.evaluation.scored_region import ScoredRegion
from medp2p.evaluation.windows import MARGIN, WINDOW
from medp2p.picture import bits_of, is_picture
from medp2p.placement import placed_on
from medp2p.regions import Regions
from medp2p.volume import Volume

Array = NDArray[Any]


def with_similarity(
    sums: Sequence[Sums], predicted: Array, reference: Array, regions: Sequence[ScoredRegion], *, data_range: float
) -> list[Sums]:
    """The sums of regions with the SSIM of pictures added up, colour by colour.

    Args:
        sums: Of every region.
        predicted: Shape (W, H, colours).
        reference: The same shape.
        regions: In the order of the sums; arrays of the same shape.
        data_range: 255 or 65535.

    Source:
        `skimage.metrics.structural_similarity` with its defaults: over a whole picture the mean is its value.
    """
    width, height, colours = reference.shape
    if min(width, height) < WINDOW:
        return list(sums)
    from skimage.metrics import structural_similarity

    inner = slice(MARGIN, width - MARGIN), slice(MARGIN, height - MARGIN)
    found = list(sums)
    for colour in range(colours):
        _, similarity = structural_similarity(
            predicted[:, :, colour], reference[:, :, colour], data_range=data_range, full=True
        )
        for number, region in enumerate(regions):
            here = region.read((*inner, colour))
            windows = int(np.count_nonzero(here))
            added = float(similarity[inner][here].sum()) if windows else 0.0
            old = found[number]
            found[number] = replace(old, windows=old.windows + windows, similarity=old.similarity + added)
    return found


def lies_on(mask: Array, affine: Array, reference: Volume, *, name: str) -> Array:
    """A label map or mask on the grid of a scan; of a picture it has the very size, shape (W, H, 1).

    Raises:
        GeometryError: It does not lie there.
    """
    if not is_picture(reference):
        return placed_on(mask, affine, reference, name=name)
    if mask.shape != (*reference.shape[:2], 1):
        raise GeometryError(None, f"the {name} is of another size than the picture, or in colour", found=mask.shape,
                            expected=(*reference.shape[:2], 1), fix="make it of the very size, in grey")  # fmt: skip
    return mask


def over_colours(
    reference: Volume,
    regions: Regions | None,
    masks: Mapping[str, Volume | Array],
    body: Volume | Array | None,
) -> tuple[Regions | None, dict[str, Array], Array]:
    """Regions, masks and body of a picture in each of its colours; its body is the whole, where none is given.

    Raises:
        GeometryError: One is of another size.
    """

    def spread(mask: Array, name: str) -> Array:
        pixels = mask if mask.ndim == 3 else mask[:, :, None]
        return np.broadcast_to(lies_on(pixels, reference.affine, reference, name=name), reference.shape)

    inside = np.ones((*reference.shape[:2], 1), bool) if body is None else _pixels(body)
    joined = None if regions is None else regions.on_grid(lambda each: spread(each, "label map"), reference.affine)
    spreads = {name: spread(_pixels(mask), f"mask {name}") for name, mask in masks.items()}
    return joined, spreads, spread(inside, "body mask")


def _pixels(mask: Volume | Array) -> Array:
    return np.asarray(mask.voxels if isinstance(mask, Volume) else mask)


def in_one_colour(reference: Volume) -> Volume:
    """A picture's grid of one colour, on which its label maps lie; a scan as it is."""
    if not is_picture(reference):
        return reference
    return Volume(reference.voxels[:, :, :1], reference.affine, header=reference.header)


def data_range_of(reference: Array) -> float:
    """255 or 65535 by the number type of a picture; 0 of anything else."""
    return {"uint8": 255.0, "uint16": 65535.0}.get(reference.dtype.name, 0.0)


def check_pair(predicted: Volume, reference: Volume) -> None:
    """Refuse pictures that cannot be compared.

    Raises:
        GeometryError: Size, colours or depth differ.
    """
    if predicted.shape != reference.shape or bits_of(predicted) != bits_of(reference) or not is_picture(predicted):
        raise GeometryError(None, "predicted and reference are pictures of another size, depth or other colours",
                            found=_described(predicted), expected=_described(reference),
                            fix="give the reference that the prediction was made for")  # fmt: skip


def _described(volume: Volume) -> str:
    if not is_picture(volume):
        return repr(volume)
    width, height, colours = volume.shape
    return f"{width} x {height} pixels, {colours} x {bits_of(volume)} bits"
