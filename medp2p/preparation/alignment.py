"""One case from its raw scans to scans on one grid, with masks, numbers and pictures; nothing is written here."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image

from medp2p.config.intensity_section import is_hu_name
from medp2p.preparation.bias_field import Corrected, without_bias_field
from medp2p.preparation.masks import TISSUES, body_of, tissues_by_hu
from medp2p.preparation.options import PreparationOptions
from medp2p.preparation.pictures import quality_picture
from medp2p.preparation.pyramid import Pair, Scan
from medp2p.preparation.quality import GOOD, Quality, judge, measure, worst
from medp2p.preparation.registration import register
from medp2p.preparation.resampling import covered, resampled
from medp2p.preparation.scans import Mask, RawScans
from medp2p.volume import Volume

logger = logging.getLogger(__name__)
LOWEST_HU, HIGHEST_HU = -1024.0, 32767.0
"""HU: the value of no data, and what int16 holds."""

Labels = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Aligned:
    """A case on one grid.

    Attributes:
        volumes: Each channel.
        onto: The channel whose grid it is.
        body: True inside the body where every channel has data; None if no mask was asked for.
        regions: Label map; None where there is none.
        names: The name of each label.
        transforms: From points of `onto` to points of each moved channel, LPS, mm.
        quality: How well each was moved.
        bias_fields: The range of what was divided out of a channel.
        pictures: Of each moved channel; of `onto` itself where there is no other.
        verdict: `good`, `look` or `failed`, the worst of its channels.
        reasons: Why it is not good.
    """

    volumes: Mapping[str, Volume]
    onto: str
    body: NDArray[np.bool_] | None
    regions: Labels | None
    names: Mapping[int, str]
    transforms: Mapping[str, sitk.Transform] = field(default_factory=dict)
    quality: Mapping[str, Quality] = field(default_factory=dict)
    bias_fields: Mapping[str, Corrected] = field(default_factory=dict)
    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    verdict: str = GOOD
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Moved:
    """A scan on the grid of the fixed one."""

    volume: Volume
    covered: NDArray[np.bool_]
    transform: sitk.Transform
    quality: Quality
    picture: Image.Image


def align(raw: RawScans, options: PreparationOptions) -> Aligned:
    """Move every scan of a case onto one of them, find its body, and judge the result.

    Each scan is resampled once, from what was scanned, or from that without its bias field.

    Raises:
        GeometryError: Two scans cannot be brought together.
    """
    corrected = {
        name: without_bias_field(volume, body_of(volume, hu=False))
        for name, volume in raw.volumes.items()
        if options.corrects(name, hu=is_hu_name(name))
    }
    _tell_what_was_left(raw, corrected)
    scans = {name: _scan(name, corrected[name].volume if name in corrected else volume)
             for name, volume in raw.volumes.items()}  # fmt: skip
    fixed = scans[raw.onto]
    moved = {name: _move(fixed, scan, options) for name, scan in scans.items() if name != raw.onto}
    in_view = np.logical_and.reduce([np.ones(fixed.volume.shape, bool), *(each.covered for each in moved.values())])
    volumes = {name: moved[name].volume if name in moved else _as_written(fixed) for name in scans}
    transforms = {name: each.transform for name, each in moved.items()}
    body = _body(raw, scans, transforms) & in_view
    regions, names = _regions(raw, volumes, transforms, body, options)
    judged = {name: judge(each.quality, options) for name, each in moved.items()}
    return Aligned(
        volumes=volumes,
        onto=raw.onto,
        body=body if options.body or raw.body is not None else None,
        regions=regions,
        names=names,
        transforms=transforms,
        quality={name: each.quality for name, each in moved.items()},
        bias_fields=corrected,
        pictures={name: each.picture for name, each in moved.items()} or {raw.onto: quality_picture(fixed, fixed)},
        verdict=worst(verdict for verdict, _ in judged.values()),
        reasons=tuple(f"{name}: {reason}" for name, (_, reasons) in judged.items() for reason in reasons),
    )


def _scan(name: str, volume: Volume) -> Scan:
    hu = is_hu_name(name)
    return Scan(volume, body_of(volume, hu=hu), hu)


def _move(fixed: Scan, moving: Scan, options: PreparationOptions) -> _Moved:
    pair = Pair.of(fixed, moving)
    found = register(pair, options)
    there = covered(moving.volume, fixed.volume, found.transform)
    values = resampled(moving.volume, fixed.volume, found.transform, outside=LOWEST_HU if moving.hu else 0.0)
    body = _mask_onto(moving.body, moving.volume, fixed.volume, found.transform) > 0
    volume = _as_written(Scan(fixed.volume.with_voxels(values), body, moving.hu))
    quality = measure(pair, found, moved_body=body, covered=there)
    return _Moved(volume, there, found.transform, quality, quality_picture(fixed, Scan(volume, body, moving.hu)))


def _as_written(scan: Scan) -> Volume:
    """Hounsfield units as int16, padding below them as no data; all else as it is."""
    if not scan.hu:
        return scan.volume
    return scan.volume.with_voxels(np.rint(np.clip(scan.volume.voxels, LOWEST_HU, HIGHEST_HU)).astype(np.int16))


def _mask_onto(labels: NDArray[np.generic], of: Volume, onto: Volume, transform: sitk.Transform) -> Labels:
    moved: Labels = resampled(of.with_voxels(labels), onto, transform, outside=0, nearest=True)
    return moved


def _body(raw: RawScans, scans: Mapping[str, Scan], transforms: Mapping[str, sitk.Transform]) -> NDArray[np.bool_]:
    """The mask that came with the case, else the body of the CT, else that of the fixed scan; on the fixed grid."""
    in_hu = [name for name in sorted(scans, key=lambda name: name != raw.onto) if scans[name].hu]
    channel = next(iter(in_hu), raw.onto)
    given = raw.body or Mask(scans[channel].body.astype(np.uint8), channel, {})
    if given.channel not in transforms:
        return given.labels > 0
    onto = scans[raw.onto].volume
    return _mask_onto(given.labels, raw.volumes[given.channel], onto, transforms[given.channel]) > 0


def _regions(
    raw: RawScans,
    volumes: Mapping[str, Volume],
    transforms: Mapping[str, sitk.Transform],
    body: NDArray[np.bool_],
    options: PreparationOptions,
) -> tuple[Labels | None, Mapping[int, str]]:
    """The label map that came with the case, else what thresholds find in its CT."""
    if raw.regions is not None:
        given, names = raw.regions, raw.regions.names
        if given.channel not in transforms:
            return given.labels, names
        onto = volumes[raw.onto]
        return _mask_onto(given.labels, raw.volumes[given.channel], onto, transforms[given.channel]), names
    in_hu = [name for name in volumes if is_hu_name(name)]
    if not options.regions or not in_hu:
        return None, {}
    return tissues_by_hu(volumes[in_hu[0]].voxels, body), TISSUES


def _tell_what_was_left(raw: RawScans, corrected: Mapping[str, Corrected]) -> None:
    for name, each in corrected.items():
        if each.note:
            logger.warning("%s: the bias field of %s stays: %s", raw.case.id, name, each.note)
