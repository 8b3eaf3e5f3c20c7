"""Geometry of the report's plots: where ticks, boxes, dots and curves go; the templates draw them as SVG."""

import io
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from medp2p.evaluation.joint import BINS, JointErrors
from medp2p.evaluation.rows import Cell, Row, number, text

_LEFT, _WIDTH, _ROW = 170, 340, 22
_MAPPED_EDGE: Final = 256
_LEAST_VOXELS: Final = 50
"""A bin of the reference with fewer voxels than this has no point in the curve of errors."""


@dataclass(frozen=True)
class Axis:
    """A linear axis in pixels.

    Attributes:
        ticks: Position and text of each tick.
        start: Pixel of `low`.
        end: Pixel of `high`.
        low: Value at the start.
        high: Value at the end.
    """

    ticks: tuple[tuple[float, str], ...]
    start: float
    end: float
    low: float
    high: float

    @classmethod
    def over(cls, low: float, high: float, start: float, end: float) -> "Axis":
        """An axis with about five round ticks between two values."""
        if not high > low:
            low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
        step = 10 ** math.floor(math.log10((high - low) / 4))
        step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
        values = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1) * step
        axis = cls((), start, end, low, high)
        return cls(tuple((axis.at(float(v)), f"{float(v) + 0.0:.6g}") for v in values), start, end, low, high)

    def at(self, value: float) -> float:
        """Pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True)
class Box:
    """The values of one region: pixels of whiskers, quartiles and median, and a dot for each case."""

    region: str
    y: float
    least: float
    q25: float
    median: float
    q75: float
    most: float
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True)
class Distribution:
    """Box plots of one metric, a row for each region."""

    title: str
    description: str
    axis: Axis
    boxes: tuple[Box, ...]
    width: int
    height: int


def distribution(rows: Sequence[Row], summary: Sequence[Row], metric: str, title: str) -> Distribution | None:
    """The plot of a metric over all regions; None where no case has a value."""
    stats = [row for row in summary if row["metric"] == metric and row["cases"]]
    values: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        value = number(row)
        if row["metric"] == metric and value is not None and math.isfinite(value):
            values.setdefault(text(row, "region"), []).append((text(row, "case"), value))
    stats = [row for row in stats if text(row, "region") in values]
    if not stats:
        return None
    everything = [value for found in values.values() for _, value in found]
    axis = Axis.over(min(everything), max(everything), _LEFT, _LEFT + _WIDTH)
    boxes = tuple(_box(row, values[text(row, "region")], axis, i) for i, row in enumerate(stats))
    described = "; ".join(f"{b.region}: median {_short(r, 'median')}" for b, r in zip(boxes, stats, strict=True))
    height = len(boxes) * _ROW + 34
    return Distribution(title, f"{title} by region. {described}", axis, boxes, _LEFT + _WIDTH + 30, height)


def _box(stats: Mapping[str, Cell], values: Sequence[tuple[str, float]], axis: Axis, index: int) -> Box:
    y = index * _ROW + _ROW / 2 + 4
    ordered = np.sort([value for _, value in values])
    quartiles = (axis.at(float(q)) for q in np.percentile(ordered, [0, 25, 50, 75, 100]))
    dots = tuple(
        (axis.at(value), y + 3 * ((i * 7) % 5 - 2) / 2, f"{case}: {value:.5g}")
        for i, (case, value) in enumerate(values)
    )
    least, q25, median, q75, most = quartiles
    return Box(text(stats, "region"), y, least, q25, median, q75, most, dots)


def _short(row: Mapping[str, Cell], column: str) -> str:
    value = number(row, column)
    return "none" if value is None else f"{value:.4g}"


@dataclass(frozen=True)
class JointPlot:
    """Joint histogram of reference and prediction: a picture with axes."""

    title: str
    description: str
    image: str
    x: Axis
    y: Axis
    unit: str


@dataclass(frozen=True)
class ErrorPlot:
    """Mean and mean absolute error against the reference's value: two polylines and a zero line."""

    title: str
    description: str
    x: Axis
    y: Axis
    mean: str
    absolute: str
    zero: float
    unit: str


def joint_plot(joint: JointErrors) -> JointPlot:
    """The joint histogram, darker where more voxels are, on a logarithmic scale."""
    from PIL import Image

    seen = np.flatnonzero(joint.counts.any(axis=0) | joint.counts.any(axis=1))
    first, last = (int(seen[0]), int(seen[-1]) + 1) if seen.size else (0, BINS)
    low, high = (joint.low + place * (joint.high - joint.low) / BINS for place in (first, last))
    shades = np.log1p(joint.counts[first:last, first:last].T[::-1])
    shades = np.rint(255 * shades / max(float(shades.max()), 1.0)).astype(np.uint8)
    image = Image.frombytes("P", (last - first, last - first), shades.tobytes())
    share = np.linspace(0, 1, 256)[:, None]
    image.putpalette((255 + share * (np.array([8, 48, 107]) - 255)).round().astype(np.uint8).tobytes())
    file = io.BytesIO()
    image.resize((_MAPPED_EDGE, _MAPPED_EDGE), Image.Resampling.NEAREST).save(file, "PNG", optimize=True)
    total = int(joint.counts.sum())
    near = sum(int(np.trace(joint.counts, offset)) for offset in (-1, 0, 1))
    return JointPlot(
        "Joint histogram of the body",
        f"Predicted against reference values of {total} voxels; {100 * near / max(total, 1):.0f} % lie within one of "
        f"{BINS} bins of equality, which the diagonal line marks",
        "data:image/png;base64," + b64encode(file.getvalue()).decode("ascii"),
        Axis.over(low, high, 60, 60 + _MAPPED_EDGE),
        Axis.over(low, high, 14 + _MAPPED_EDGE, 14),
        joint.unit,
    )


def error_plot(joint: JointErrors) -> ErrorPlot | None:
    """Errors against the reference's value; None where no bin holds enough voxels."""
    voxels = joint.counts.sum(axis=1)
    kept = np.flatnonzero(voxels >= _LEAST_VOXELS)
    if not kept.size:
        return None
    mean, absolute = joint.signed[kept] / voxels[kept], joint.absolute[kept] / voxels[kept]
    x = Axis.over(float(joint.centres[kept[0]]), float(joint.centres[kept[-1]]), 70, 420)
    y = Axis.over(min(0.0, float(mean.min())), max(0.0, float(absolute.max()), float(mean.max())), 270, 14)
    lines = [
        " ".join(f"{x.at(float(c))},{y.at(float(v))}" for c, v in zip(joint.centres[kept], curve, strict=True))
        for curve in (mean, absolute)
    ]
    largest = int(np.argmax(absolute))
    return ErrorPlot(
        "Error against the reference's value",
        f"Mean and mean absolute error by the reference's value in the body; the largest mean absolute error is "
        f"{absolute[largest]:.4g} {joint.unit} at {joint.centres[kept][largest]:.4g} {joint.unit}",
        x,
        y,
        lines[0],
        lines[1],
        y.at(0.0),
        joint.unit,
    )
