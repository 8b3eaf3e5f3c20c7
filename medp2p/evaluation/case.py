"""One case: a predicted and a reference volume become rows of scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import ConfigError, GeometryError, RegionError
from medp2p.evaluation.agreement import agreed, by_threshold, has_threshold, threshold_in_words
from medp2p.evaluation.anatomy import Anatomy, anatomy_of, placed_regions
from medp2p.evaluation.choice import AUTO, Limits, check_kind, limits_of, protocol_called
from medp2p.evaluation.flat import check_pair, over_colours
from medp2p.evaluation.measured import METRICS, Measured, undefined
from medp2p.evaluation.one_pass import View
from medp2p.evaluation.protocol import NoDataRange, Protocol
from medp2p.evaluation.rows import Cell, Row
from medp2p.evaluation.scored_region import Mask, ScoredRegion, union_box
from medp2p.evaluation.scores import Scores
from medp2p.picture import is_picture
from medp2p.placement import describe_grid
from medp2p.regions import Regions
from medp2p.volume import Volume, require_volume

NOT_WEIGHTED = "no region weighs above 1"
INVERTED = (
    "a negative factor fits best: the contrast of the prediction is inverted, and all scores are of it turned round"
)


def evaluate(
    predicted: Volume,
    reference: Volume,
    regions: Regions | None = None,
    *,
    body: Volume | NDArray[Any] | None = None,
    masks: Mapping[str, Volume | NDArray[Any]] | None = None,
    weighted: Sequence[str] = (),
    protocol: str = AUTO,
    case: str = "case",
    patient: str | None = None,
    predicted_regions: Regions | None = None,
    threads: int | None = None,
) -> Scores:
    """Score one predicted scan against the acquired one, per region.

    Args:
        predicted: The synthetic scan.
        reference: The acquired scan on the same grid.
        regions: Label maps with names; one that covers a part of the scan on its lattice is placed into it.
        body: Mask of the body, above 0 inside; None: the body is found on the reference, and its rows say so.
        masks: Further regions by name, volumes or arrays of the scan's shape, above 0 inside.
        weighted: Regions that make up the rows `weighted`; `outside` is the body without them.
        protocol: A name of `protocols`, or `auto`: synthrad2025 where the reference's 0.5th percentile lies below
            -500, else mr.
        case: The case's id in the rows.
        patient: Whose scan it is, where one patient has several.
        predicted_regions: Label map of the prediction, for Dice and the 95 % Hausdorff distance of each region that
            both have. Without it, regions called bone or air are compared by threshold where the scans are in HU.
        threads: Tiles worked on at once; no effect on any number.

    Returns:
        Rows in the order volume, body, regions, groups, masks, weighted, outside.

    Raises:
        GeometryError: The grids differ.
        RegionError: A region's name is reserved, comes twice or is unknown, a mask is fractional, or regions are none.
        ConfigError: The protocol is unknown, or is for HU and the reference cannot be.

    Examples:
        >>> import numpy as np
        >>> ct = Volume(np.where(np.indices((12, 12, 12)).min(0) > 2, 40, -1000), np.eye(4))
        >>> scores = evaluate(ct.with_voxels(ct.voxels + 10), ct, protocol="synthrad2025")
        >>> scores.value("case", "body", "mae")
        10.0
    """
    for name, scan in (("predicted", predicted), ("reference", reference)):
        require_volume(scan, name)
    for name, given in (("regions", regions), ("predicted_regions", predicted_regions)):
        if given is not None and not isinstance(given, Regions):
            raise RegionError(None, f"{name} are no Regions", found=type(given).__name__,
                              fix="make them with medp2p.read_regions(path); single masks are `masks`")  # fmt: skip
    prepared = prepare_case(
        predicted,
        reference,
        regions,
        body=body,
        masks=masks,
        weighted=weighted,
        protocol=protocol,
        case=case,
        patient=patient,
        predicted_regions=predicted_regions,
    )
    return prepared.scores(threads=threads)


@dataclass(frozen=True, eq=False)
class Case:
    """One case with everything settled that its scores and pictures need.

    Attributes:
        name: Id in the rows.
        patient: Whose it is, where that is not the case itself.
        predicted: The synthetic scan.
        reference: The acquired scan on the same grid.
        anatomy: Regions and body.
        protocol: How it is scored.
        hu: Whether both are in HU.
        agreement: Dice and Hausdorff distance by region, where they exist.
        view: How the protocol looks at intensities, or why it cannot.
    """

    name: str
    patient: str | None
    predicted: Volume
    reference: Volume
    anatomy: Anatomy
    protocol: Protocol
    hu: bool
    agreement: Mapping[str, Measured]
    view: View | NoDataRange

    def scores(self, *, threads: int | None = None, facts: Mapping[str, Cell] | None = None) -> Scores:
        """Every row of the case; `facts` are kept beside them."""
        known: dict[str, Cell] = {"body": "found" if self.anatomy.found else "given"}
        patients = {} if self.patient is None else {self.name: self.patient}
        return Scores(tuple(self._rows(threads)), self.protocol, patients, {self.name: known | dict(facts or {})})

    def _rows(self, threads: int | None) -> Iterator[Row]:
        regions, given, wanted = self.anatomy.regions, self.predicted.voxels, self.reference.voxels
        if isinstance(self.view, NoDataRange):
            why = str(self.view)
            measured = [undefined(count, why) for count in self.protocol.counts(given, wanted, regions)]
            scale = Measured(measured[1].voxels, {}, {"scale": why})
        else:
            measured = self.protocol.measure(given, wanted, regions, self.view, threads=threads)
            inverted = {"scale": INVERTED} if self.view.factor < 0 else {}
            scale = Measured(measured[1].voxels, {"scale": self.view.factor}, inverted)
        for region, found in zip(regions, measured, strict=True):
            note = self.anatomy.found if region.name == "body" else None
            yield from self._rows_of(region.name, region.label, found, METRICS, note)
            if region.name == "body" and self.protocol.fitted:
                yield from self._rows_of("body", None, scale, ("scale",), note)
            if region.name in self.agreement:
                yield from self._rows_of(region.name, region.label, self.agreement[region.name], ("dice", "hd95"))
        if regions[-1].name != "outside":
            for name in ("weighted", "outside"):
                yield from self._rows_of(name, None, undefined(0, NOT_WEIGHTED), METRICS)

    def _rows_of(
        self, region: str, label: int | None, found: Measured, metrics: Sequence[str], note: str | None = None
    ) -> Iterator[Row]:
        for metric in metrics:
            yield {
                "case": self.name,
                "region": region,
                "label": label,
                "voxels": found.voxels,
                "metric": metric,
                "value": found.values.get(metric),
                "unit": self.protocol.unit(metric, hu=self.hu),
                "protocol": self.protocol.name,
                "data_range": None if isinstance(self.view, NoDataRange) else self.view.data_range,
                "reason": "; ".join(reason for reason in (found.reasons.get(metric), note) if reason) or None,
            }


def prepare_case(
    predicted: Volume,
    reference: Volume,
    regions: Regions | None = None,
    *,
    body: Volume | NDArray[Any] | None = None,
    masks: Mapping[str, Volume | NDArray[Any]] | None = None,
    weighted: Sequence[str] = (),
    protocol: str = AUTO,
    case: str = "case",
    patient: str | None = None,
    predicted_regions: Regions | None = None,
    limits: Limits | None = None,
) -> Case:
    """A case ready to be scored and drawn; as `evaluate`, and with the limits of the reference where they are known."""
    check_same_grid(predicted, reference)
    limits = limits or limits_of(reference)
    chosen = protocol_called(protocol, [limits])
    check_kind(chosen, limits)
    hu = limits.fit_hu if chosen.hu is None else chosen.hu
    if limits.picture and predicted_regions is not None:
        raise ConfigError(None, "label maps of predictions are for scans", fix="leave them out for pictures")
    if limits.picture:
        regions, masks, body = over_colours(reference, regions, masks or {}, body)
    anatomy = anatomy_of(reference, regions, body, masks or {}, weighted, hu=hu)
    try:
        view: View | NoDataRange = chosen.view(predicted.voxels, reference.voxels, anatomy.body)
    except NoDataRange as cause:
        view = cause
    agreement = _agreement(predicted, reference, regions, predicted_regions, anatomy, hu)
    return Case(case, patient, predicted, reference, anatomy, chosen, hu, agreement, view)


def _agreement(
    predicted: Volume,
    reference: Volume,
    regions: Regions | None,
    predicted_regions: Regions | None,
    anatomy: Anatomy,
    hu: bool,
) -> dict[str, Measured]:
    """Dice and Hausdorff distance of the regions that they exist for."""
    if regions is not None and predicted_regions is not None:
        own = {region.name: region for region in placed_regions(predicted_regions, reference)}
        return {
            region.name: agreed(*_on_one_box(own.get(region.name), region), reference.spacing_mm)
            for region in placed_regions(regions, reference)
        }
    return {
        region.name: agreed(
            by_threshold(region.name, predicted.voxels, anatomy.body),
            by_threshold(region.name, reference.voxels, anatomy.body),
            reference.spacing_mm,
            note=threshold_in_words(region.name),
        )
        for region in anatomy.regions
        if hu and has_threshold(region.name)
    }


def _on_one_box(given: ScoredRegion | None, wanted: ScoredRegion) -> tuple[Mask, Mask]:
    """A structure in both label maps, on the box that holds it in either; without a voxel where a map lacks it."""
    box = union_box([region.box for region in (given, wanted) if region is not None]) or (slice(0, 1),) * 3
    found = wanted.read(box)
    return np.zeros_like(found) if given is None else given.read(box), found


def check_same_grid(predicted: Volume, reference: Volume) -> None:
    """Refuse scans whose voxels do not lie at the same places.

    Raises:
        GeometryError: They do not; both grids are named.
    """
    if is_picture(reference):
        check_pair(predicted, reference)
    if not predicted.same_grid(reference):
        raise GeometryError(
            None,
            "predicted and reference lie on different grids",
            found=describe_grid(predicted.shape, predicted.affine),
            expected=describe_grid(reference.shape, reference.affine),
            fix="resample the prediction onto the reference's grid, or give the reference it was made for",
        )
