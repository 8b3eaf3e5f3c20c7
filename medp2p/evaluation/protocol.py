"""Protocol: one way to score, which says its definitions in words and gives every region its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medp2p.errors import GeometryError
from medp2p.evaluation.flat import data_range_of, with_similarity
from medp2p.evaluation.measured import METRICS, Measured, undefined
from medp2p.evaluation.metrics import Mask, psnr_of, same_shape
from medp2p.evaluation.ms_ssim import left_at_last_level, ms_ssim
from medp2p.evaluation.one_pass import Sums, View, sums_of
from medp2p.evaluation.scored_region import ScoredRegion, of_mask
from medp2p.evaluation.tiling import slowest_first
from medp2p.evaluation.windows import WINDOW
from medp2p.percentiles import percentiles

Array = NDArray[Any]
AIR_PERCENTILE: Final = 0.5
"""Per cent; a scan in HU holds so much air that this percentile lies below AIR_BELOW_HU."""
HIGH_PERCENTILE: Final = 99.5
"""Per cent; the upper end of what a scan without an absolute scale is scored in."""
AIR_BELOW_HU: Final = -500.0
NEVER_ABOVE_HU: Final = 4000.0
"""HU; a 99.5th percentile above this is an offset or a scale, not metal."""
HU_RANGE: Final = 4095.0
"""R of the protocols without a window of their own, for HU."""


class NoDataRange(ValueError):  # noqa: N818 - a reason that becomes rows, not a fault
    """The reference does not define what scores are relative to; the message is the reason of the rows."""


@dataclass(frozen=True)
class Protocol:
    """One way to score, named and documented.

    Attributes:
        name: As in `--protocol` and in every row.
        title: What it is, in a few words.
        details: The definitions in words, a sentence a line; they go into reports and scores.json.
        window: Ends of the window that PSNR and SSIM see, in HU; None: percentiles of the reference in the body, or
            for `ssim` other than "masked" no window at all.
        hu: Whether it is for HU only (True), for scans without an absolute scale only (False) or for both (None).
        fitted: The prediction is multiplied by the factor that fits the reference best.
        relative: MAE and ME are fractions of the data range.
        ssim: "masked": outside a region both images are the low end; "whole": mean over the region of the map of the
            whole image; "monai": MONAI's metrics of the whole image; "flat": as "whole", in two dimensions, for
            pictures, whose depth is the data range.
        has_ms_ssim: Whether it defines MS-SSIM.
    """

    name: str
    title: str
    details: tuple[str, ...]
    window: tuple[float, float] | None = None
    hu: bool | None = None
    fitted: bool = False
    relative: bool = False
    ssim: Literal["masked", "whole", "monai", "flat"] = "masked"
    has_ms_ssim: bool = True

    def score(self, predicted: ArrayLike, reference: ArrayLike, mask: ArrayLike) -> dict[str, float]:
        """The scores of one region.

        Args:
            predicted: Synthetic scan, shape (X, Y, Z).
            reference: Acquired scan on the same grid, shape (X, Y, Z).
            mask: True (or above 0) where a voxel counts, shape (X, Y, Z); for protocols without an absolute scale
                also the body that sets the data range. `monai` scores the whole image whatever the mask.

        Returns:
            mae, me, psnr, ssim and ms_ssim; NaN for what cannot be given, infinity for the PSNR of equal images.

        Raises:
            GeometryError: Shapes differ or are no volumes, or a value is not finite.

        Examples:
            >>> from medp2p.evaluation import protocols
            >>> ct = np.linspace(-900, 2000, 64 * 64 * 5).reshape(64, 64, 5)
            >>> found = protocols["synthrad2023"].score(ct + 10, ct, ct < 3000)
            >>> round(found["mae"], 6), round(found["psnr"], 2), found["ssim"]
            (10.0, 52.09, nan)
        """
        given, wanted, counts = np.asarray(predicted), np.asarray(reference), np.asarray(mask) > 0
        _checked(given, wanted, counts)
        try:
            view = self.view(given, wanted, counts)
        except NoDataRange:
            return dict.fromkeys(METRICS, float("nan"))
        name = "volume" if self.ssim == "monai" else "mask"
        measured = self.measure(given, wanted, [of_mask(name, counts)], view)[0]
        return {metric: measured.values.get(metric, float("nan")) for metric in METRICS}

    def view(self, predicted: Array, reference: Array, body: Mask) -> View:
        """How this protocol looks at a pair of scans.

        Args:
            predicted: Shape (X, Y, Z).
            reference: The same shape.
            body: Where the data range and the factor are measured, for protocols that measure them.

        Raises:
            NoDataRange: The body is empty, the reference has one value there, or the prediction is 0 there.
        """
        masked = self.ssim == "masked"
        if self.for_pictures:
            data_range = data_range_of(reference)
            if not data_range:
                raise NoDataRange(f"a picture has 8 or 16 bits, and the reference is {reference.dtype}")
            return View(-np.inf, np.inf, data_range, masked=False)
        if self.window is not None:
            low, high = self.window
            return View(low, high, high - low)
        if not masked and in_hu(reference):
            return View(-np.inf, np.inf, HU_RANGE, masked=False)
        if not body.any():
            raise NoDataRange("the body holds no voxel, and the data range is measured there")
        low, high = percentiles(reference[body], (AIR_PERCENTILE, HIGH_PERCENTILE))
        if not high > low:
            raise NoDataRange(f"the reference is {low:g} all over the body, which leaves no data range")
        if not masked:
            return View(-np.inf, np.inf, high - low, masked=False)
        return View(low, high, high - low, factor=_fit(predicted, reference, body) if self.fitted else 1.0)

    def measure(
        self,
        predicted: Array,
        reference: Array,
        regions: Sequence[ScoredRegion],
        view: View,
        *,
        threads: int | None = None,
    ) -> list[Measured]:
        """The scores of every region with the reasons for those that cannot be given, in the order of the regions."""
        by_tiles = self.ssim in ("masked", "whole")
        sums = sums_of(predicted, reference, regions, view, threads=threads, similarity=by_tiles)
        if self.for_pictures:
            sums = with_similarity(sums, predicted, reference, regions, data_range=view.data_range)
        if self.ssim == "monai":
            from medp2p.evaluation.monai_scores import whole_image

            return [
                whole_image(predicted, reference, view.data_range, found.voxels)
                if region.name == "volume"
                else undefined(found.voxels, "MONAI's metrics know no mask: only the volume is scored")
                for region, found in zip(regions, sums, strict=True)
            ]
        return [
            self._measured(predicted, reference, region, found, view, threads)
            for region, found in zip(regions, sums, strict=True)
        ]

    def counts(self, predicted: Array, reference: Array, regions: Sequence[ScoredRegion]) -> list[int]:
        """Voxels of every region, where nothing but them can be given."""
        blind = View(-np.inf, np.inf, 1.0)
        colours = reference.shape[2] if self.for_pictures else 1
        return [found.voxels // colours for found in sums_of(predicted, reference, regions, blind, similarity=False)]

    def _measured(
        self, predicted: Array, reference: Array, region: ScoredRegion, found: Sums, view: View, threads: int | None
    ) -> Measured:
        if not found.voxels:
            return undefined(0, region.why_empty())
        per = view.data_range if self.relative else 1.0
        values = {
            "mae": found.absolute / found.voxels / per,
            "me": found.signed / found.voxels / per,
            "psnr": psnr_of(found.squared / found.voxels, view.data_range),
        }
        reasons = {}
        if found.windows:
            values["ssim"] = found.similarity / found.windows
        else:
            reasons["ssim"] = _why_no_ssim(reference.shape[:2] if self.for_pictures else reference.shape)
        if not self.has_ms_ssim:
            reasons["ms_ssim"] = f"{self.name} defines no MS-SSIM"
        elif not left_at_last_level(region, reference.shape):
            reasons["ms_ssim"] = "too small: no voxel is left at the last of the five levels of MS-SSIM"
        else:
            values["ms_ssim"] = ms_ssim(predicted, reference, region, view, threads=threads)
        return Measured(found.voxels // (reference.shape[2] if self.for_pictures else 1), values, reasons)

    @property
    def for_pictures(self) -> bool:
        """Whether it scores pictures, and nothing else."""
        return self.ssim == "flat"

    def unit(self, metric: str, *, hu: bool) -> str | None:
        """Unit of a metric's values; None for pure numbers.

        Examples:
            >>> from medp2p.evaluation import protocols
            >>> [protocols["mr"].unit(metric, hu=False) for metric in ("mae", "psnr", "ssim")]
            ['range', 'dB', None]
        """
        if metric in ("mae", "me"):
            if self.for_pictures:
                return "level"
            return "range" if self.relative else "HU" if hu else "scan"
        return {"psnr": "dB", "hd95": "mm"}.get(metric)


def _checked(predicted: Array, reference: Array, mask: Array) -> None:
    same_shape(predicted, reference, mask)
    if reference.ndim != 3:
        raise GeometryError(
            None, "this is no volume", found=f"shape {reference.shape}", expected="three axes (X, Y, Z)", fix="give one"
        )
    for name, array in (("predicted", predicted), ("reference", reference)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise GeometryError(None, f"{name} holds values that are not finite", fix="replace NaN and Inf first")


def _fit(predicted: Array, reference: Array, body: Mask) -> float:
    """The factor s = sum(p g) / sum(p p) over the body, plane by plane in float64."""
    axes = slowest_first(reference)
    products = squares = 0.0
    for p, g, b in zip(*(array.transpose(axes) for array in (predicted, reference, body)), strict=True):
        given, wanted = p[b].astype(np.float64), g[b].astype(np.float64)
        products += float(given @ wanted)
        squares += float(given @ given)
    if not squares > 0:
        raise NoDataRange("the prediction is 0 all over the body, so no factor fits it to the reference")
    return products / squares


def _why_no_ssim(shape: Sequence[int]) -> str:
    if min(shape) < WINDOW:
        return f"the SSIM window of {WINDOW} voxels is taller than the scan: {' x '.join(map(str, shape))} voxels"
    return f"every voxel lies within {WINDOW // 2} voxels of the image's border, where SSIM windows are cut"


def in_hu(reference: Array) -> bool:
    """Whether a scan can be in Hounsfield units: it has air, and nothing that no CT number can be."""
    air, high = percentiles(reference, (AIR_PERCENTILE, HIGH_PERCENTILE))
    return hu_limits_fit(air, high)


def hu_limits_fit(air: float, high: float) -> bool:
    """Whether the 0.5th and the 99.5th percentile of a scan can be in Hounsfield units.

    Examples:
        >>> hu_limits_fit(-1004.0, 1200.0), hu_limits_fit(20.0, 2224.0)
        (True, False)
    """
    return air < AIR_BELOW_HU and high <= NEVER_ABOVE_HU
