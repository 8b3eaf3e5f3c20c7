"""Which slices of a case a report shows, and what its plots are made from."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from medp2p.affine import axis_order
from medp2p.evaluation.case import Case
from medp2p.evaluation.figures import Plane, Scale, plane_of, plane_spacing, slice_strip
from medp2p.evaluation.joint import JointErrors
from medp2p.evaluation.picture_strip import picture_strip
from medp2p.evaluation.protocol import NoDataRange
from medp2p.evaluation.scored_region import Mask
from medp2p.evaluation.tiling import slowest_first
from medp2p.percentiles import percentiles
from medp2p.picture import is_picture
from medp2p.volume import Volume

Array = NDArray[Any]
SHOWN_HU: Final = (-500.0, 1000.0)
"""HU drawn black and white: soft tissue and bone are told apart, air is black."""
DIFFERENCE_HU: Final = 250.0
JOINT_HU: Final = (-1024.0, 2048.0)
_MOST_VOXELS: Final = 2_000_000
"""Plots are made from every n-th voxel of a body that holds more than this."""
_LEAST_SHARE: Final = 0.1
"""A slice with less of the body than this share of the fullest one is never the worst: it is a rim."""


@dataclass(frozen=True)
class Picture:
    """One strip of panels.

    Attributes:
        title: What slice it is and why it is shown.
        alt: What is to be seen, for those who cannot.
        png: The picture.
    """

    title: str
    alt: str
    png: bytes


@dataclass(frozen=True, eq=False)
class CasePictures:
    """What a report shows of one case.

    Attributes:
        case: Id.
        pictures: Most telling first.
        joint: For the plots; None where the protocol found no data range.
    """

    case: str
    pictures: tuple[Picture, ...] = ()
    joint: JointErrors | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, pictures in base 64."""
        return {
            "case": self.case,
            "pictures": [
                {"title": p.title, "alt": p.alt, "png": b64encode(p.png).decode("ascii")} for p in self.pictures
            ],
            "joint": None if self.joint is None else self.joint.as_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        pictures = tuple(Picture(p["title"], p["alt"], b64decode(p["png"])) for p in value["pictures"])
        joint = None if value["joint"] is None else JointErrors.from_json(value["joint"])
        return cls(value["case"], pictures, joint)


def pictures_of(case: Case, source: Volume | None = None, *, pixels: int = 200) -> CasePictures:
    """The slices that matter of a case: the worst one, and three planes through the weighted region or the body.

    Args:
        case: Prepared for scoring.
        source: The input of the translation on the same grid, for a panel of its own.
        pixels: Of the longer side of a panel.
    """
    if is_picture(case.reference):
        return CasePictures(case.name, (_whole(case, source),), _joint(case, 1.0))
    factor = 1.0 if isinstance(case.view, NoDataRange) else case.view.factor
    drawn = _Drawn(case, source if source is not None and source.same_grid(case.reference) else None, factor)
    return CasePictures(case.name, tuple(drawn.pictures(pixels)), _joint(case, factor))


def _whole(case: Case, source: Volume | None) -> Picture:
    """A picture beside what it should be."""
    fits = source is not None and is_picture(source) and source.shape[:2] == case.reference.shape[:2]
    png = picture_strip(source if fits else None, case.predicted, case.reference)
    panels = f"{'source, ' * fits}predicted, reference and signed difference"
    error = float(np.abs(case.predicted.voxels.astype(np.float64) - case.reference.voxels).mean())
    alt = f"Case {case.name}: {panels}; mean absolute difference {error:.4g}"
    return Picture(panels, alt, png)


@dataclass(frozen=True, eq=False)
class _Drawn:
    case: Case
    source: Volume | None
    factor: float

    def pictures(self, pixels: int) -> Iterator[Picture]:
        body = self._ras(self.case.anatomy.body)
        weighted = next((r for r in self.case.anatomy.regions if r.name == "weighted" and r.box is not None), None)
        outline = None if weighted is None else self._ras(weighted.read(...))
        focus, name = (body, "body") if outline is None or not outline.any() else (outline, "weighted region")
        scale, limits = self._scale(), self._source_limits()
        worst = self._worst(body)
        yield self._strip("axial", worst, "the slice with the largest error", outline, scale, limits, pixels)
        planes: tuple[tuple[Plane, int], ...] = (("axial", 2), ("coronal", 1), ("sagittal", 0))
        for plane, axis in planes:
            index = _fullest(focus, axis)
            if (plane, index) != ("axial", worst):
                yield self._strip(plane, index, f"through the {name}", outline, scale, limits, pixels)

    def _strip(
        self,
        plane: Plane,
        index: int,
        why: str,
        outline: Mask | None,
        scale: Scale,
        limits: tuple[float, float] | None,
        pixels: int,
    ) -> Picture:
        reference = self.case.reference
        spacing = plane_spacing(_ras_spacing(reference), plane)
        predicted = plane_of(self.case.predicted.to_ras(), plane, index).astype(np.float32) * np.float32(self.factor)
        wanted = plane_of(reference.to_ras(), plane, index)
        png = slice_strip(
            None if self.source is None else plane_of(self.source.to_ras(), plane, index),
            predicted,
            wanted,
            spacing_mm=spacing,
            scale=scale,
            plane=plane,
            source_limits=limits,
            outline=None if outline is None else plane_of(outline, plane, index),
            pixels=pixels,
        )
        error = float(np.abs(predicted - wanted).mean())
        title = f"{plane} slice {index + 1}, {why}"
        panels = "predicted, reference and signed difference"
        panels = panels if self.source is None else f"source, {panels}"
        alt = f"Case {self.case.name}, {title}: {panels}; mean absolute difference {error:.4g} {scale.unit}"
        return Picture(title, alt.rstrip(), png)

    def _scale(self) -> Scale:
        if self.case.hu:
            return Scale(*SHOWN_HU, DIFFERENCE_HU, "HU")
        low, high = percentiles(self.case.reference.voxels, (0.5, 99.5))
        high = high if high > low else low + 1.0
        return Scale(low, high, (high - low) / 2)

    def _source_limits(self) -> tuple[float, float] | None:
        if self.source is None:
            return None
        low, high = percentiles(self.source.voxels, (0.5, 99.5))
        return low, high

    def _worst(self, body: Mask) -> int:
        """The axial slice with the largest mean error in the body."""
        given, wanted = self.case.predicted.to_ras(), self.case.reference.to_ras()
        voxels = np.count_nonzero(body, axis=(0, 1))
        if not voxels.any():
            return int(body.shape[2]) // 2
        errors = np.full(len(voxels), -1.0)
        for k in np.flatnonzero(voxels >= _LEAST_SHARE * voxels.max()):
            here = body[:, :, k]
            difference = given[:, :, k][here].astype(np.float64) * self.factor - wanted[:, :, k][here]
            errors[k] = np.abs(difference).mean()
        return int(np.argmax(errors))

    def _ras(self, mask: Mask) -> Mask:
        return self.case.reference.with_voxels(mask).to_ras().view(bool)


def _ras_spacing(volume: Volume) -> tuple[float, float, float]:
    x, y, z = (volume.spacing_mm[axis] for axis in axis_order(volume.affine)[0])
    return x, y, z


def _fullest(mask: Mask, axis: int) -> int:
    """The slice across an axis that holds most of a mask; the middle one of an empty mask."""
    counts = np.asarray(np.count_nonzero(mask, axis=tuple(other for other in range(3) if other != axis)))
    return int(np.argmax(counts)) if np.any(counts) else mask.shape[axis] // 2


def _joint(case: Case, factor: float) -> JointErrors | None:
    body = case.anatomy.body
    if isinstance(case.view, NoDataRange) or not body.any():
        return None
    every, axes = 1 + np.count_nonzero(body) // _MOST_VOXELS, slowest_first(case.reference.voxels)
    given, wanted = (
        scan.voxels.transpose(axes)[body.transpose(axes)][::every] for scan in (case.predicted, case.reference)
    )
    given = given * factor
    if case.hu:
        return JointErrors.of(given, wanted, low=JOINT_HU[0], high=JOINT_HU[1], unit="HU")
    if case.protocol.for_pictures:
        return JointErrors.of(given, wanted, low=0.0, high=case.view.data_range, unit="level")
    low = case.view.low if np.isfinite(case.view.low) else percentiles(wanted, (0.5,))[0]
    given, wanted = (np.asarray((values - low) / case.view.data_range) for values in (given, wanted))
    return JointErrors.of(given, wanted, low=0.0, high=1.0, unit="range")
