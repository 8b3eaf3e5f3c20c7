"""One case: a predicted and a reference volume become rows of scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medp2p.errors import GeometryError
from medp2p.evaluation.agreement import by_threshold, dice, hd95, threshold_in_words
from medp2p.evaluation.anatomy import Anatomy, anatomy_of
from medp2p.evaluation.choice import AUTO, check_hu, limits_of, protocol_called
from medp2p.evaluation.measured import METRICS, Measured, undefined
from medp2p.evaluation.placement import describe_grid, placed_on
from medp2p.evaluation.protocol import NoDataRange, Protocol
from medp2p.evaluation.rows import Cell, Row
from medp2p.evaluation.scores import Scores
from medp2p.regions import Regions
from medp2p.volume import Volume

NOT_WEIGHTED = "no region weighs above 1"


def evaluate(
    predicted: Volume,
    reference: Volume,
    regions: Regions | None = None,
    *,
    body: Volume | NDArray[Any] | None = None,
    masks: Mapping[str, NDArray[Any]] | None = None,
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
        masks: Further regions by name, arrays of the scan's shape, True inside.
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
        RegionError: A region's name is reserved, comes twice or is unknown, or a mask is fractional.
        ConfigError: The protocol is unknown, or is for HU and the reference cannot be.

    Examples:
        >>> ct = Volume(np.where(np.indices((12, 12, 12)).min(0) > 2, 40, -1000), np.eye(4))
        >>> scores = evaluate(ct.with_voxels(ct.voxels + 10), ct, protocol="synthrad2025")
        >>> scores.value("case", "body", "mae")
        10.0
    """
    check_same_grid(predicted, reference)
    limits = limits_of(reference)
    chosen = protocol_called(protocol, [limits])
    check_hu(chosen, limits)
    hu = limits.fit_hu if chosen.hu is None else chosen.hu
    anatomy = anatomy_of(reference, regions, body, masks or {}, weighted, hu=hu)
    scorer = _Scorer(predicted, reference, anatomy, chosen, hu, case)
    rows = list(scorer.rows(_agreement(predicted, reference, regions, predicted_regions, anatomy, hu), threads))
    facts: dict[str, Cell] = {"body": "found" if anatomy.found else "given"}
    return Scores(tuple(rows), chosen, {} if patient is None else {case: patient}, {case: facts})


@dataclass(frozen=True, eq=False)
class _Scorer:
    predicted: Volume
    reference: Volume
    anatomy: Anatomy
    protocol: Protocol
    hu: bool
    case: str

    def rows(self, agreement: Mapping[str, Measured], threads: int | None) -> Iterator[Row]:
        """Every row of the case."""
        regions, data_range, scale = self.anatomy.regions, None, Measured(0)
        given, wanted = self.predicted.voxels, self.reference.voxels
        try:
            view = self.protocol.view(given, wanted, self.anatomy.body)
        except NoDataRange as cause:
            counts = self.protocol.counts(given, wanted, regions)
            measured = [undefined(count, str(cause)) for count in counts]
            scale = Measured(counts[1], {}, {"scale": str(cause)})
        else:
            data_range = view.data_range
            measured = self.protocol.measure(given, wanted, regions, view, threads=threads)
            scale = Measured(measured[1].voxels, {"scale": view.factor})
        for region, found in zip(regions, measured, strict=True):
            note = self.anatomy.found if region.name == "body" else None
            yield from self._region_rows(region.name, region.label, found, METRICS, data_range, note)
            if region.name == "body" and self.protocol.fitted:
                yield from self._region_rows("body", None, scale, ("scale",), data_range, note)
            if region.name in agreement:
                further = agreement[region.name]
                yield from self._region_rows(
                    region.name,
                    region.label,
                    Measured(found.voxels, further.values, further.reasons),
                    ("dice", "hd95"),
                    data_range,
                    further.reasons.get("note"),
                )
        if regions[-1].name != "outside":
            for name in ("weighted", "outside"):
                yield from self._region_rows(name, None, undefined(0, NOT_WEIGHTED), METRICS, data_range, None)

    def _region_rows(
        self,
        region: str,
        label: int | None,
        found: Measured,
        metrics: Sequence[str],
        data_range: float | None,
        note: str | None,
    ) -> Iterator[Row]:
        for metric in metrics:
            reasons = [reason for reason in (found.reasons.get(metric), note) if reason]
            yield {
                "case": self.case,
                "region": region,
                "label": label,
                "voxels": found.voxels,
                "metric": metric,
                "value": found.values.get(metric),
                "unit": self.protocol.unit(metric, hu=self.hu),
                "protocol": self.protocol.name,
                "data_range": data_range,
                "reason": "; ".join(reasons) or None,
            }


def _agreement(
    predicted: Volume,
    reference: Volume,
    regions: Regions | None,
    predicted_regions: Regions | None,
    anatomy: Anatomy,
    hu: bool,
) -> dict[str, Measured]:
    """Dice and Hausdorff distance of the regions that they exist for."""
    found = {}
    if regions is not None and predicted_regions is not None:
        for name in regions.region_names:
            if name in predicted_regions.region_names:
                given, wanted = (
                    np.asarray(placed_on(each.mask(name), each.affine, reference, name="label map"))
                    for each in (predicted_regions, regions)
                )
                found[name] = _agreed(given, wanted, reference, None)
        return found
    if hu:
        for region in anatomy.regions:
            given_part = by_threshold(region.name, predicted.voxels, anatomy.body)
            wanted_part = by_threshold(region.name, reference.voxels, anatomy.body)
            if given_part is not None and wanted_part is not None:
                found[region.name] = _agreed(given_part, wanted_part, reference, threshold_in_words(region.name))
    return found


def _agreed(given: NDArray[Any], wanted: NDArray[Any], reference: Volume, note: str | None) -> Measured:
    values = {"dice": dice(given, wanted), "hd95": hd95(given, wanted, reference.spacing_mm)}
    values = {metric: value for metric, value in values.items() if np.isfinite(value)}
    if not wanted.any():
        values = {}
    reasons = {} if note is None else {"note": note}
    side = "the reference" if not wanted.any() else "the prediction"
    reasons |= {metric: f"the structure has no voxel in {side}" for metric in ("dice", "hd95") if metric not in values}
    return Measured(0, values, reasons)


def check_same_grid(predicted: Volume, reference: Volume) -> None:
    """Refuse scans whose voxels do not lie at the same places.

    Raises:
        GeometryError: They do not; both grids are named.
    """
    if not predicted.same_grid(reference):
        raise GeometryError(
            None,
            "predicted and reference lie on different grids",
            found=describe_grid(predicted.shape, predicted.affine),
            expected=describe_grid(reference.shape, reference.affine),
            fix="resample the prediction onto the reference's grid, or give the reference it was made for",
        )
