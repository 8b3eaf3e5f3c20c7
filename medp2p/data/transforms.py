"""The way of a case from its scans to stored planes, as a Compose of MONAI; translation goes the same way without it.

MONAI's own transforms stand where they give the very arrays that `channel_planes` gives, which a test shows:
`Orientationd` and `ScaleIntensityRanged`. Ours stand where they do not: `Spacingd` aligns corners or origins instead
of middles and aliases when it shrinks, `ScaleIntensityRangePercentilesd` keeps its limits to itself, `MaskIntensityd`
puts 0 outside a mask and not the low end of the map.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import ScaleIntensityRanged
from monai.transforms.spatial.dictionary import Orientationd
from monai.transforms.transform import MapTransform
from numpy.typing import NDArray

from medp2p.body import find_body
from medp2p.config import Config
from medp2p.data.cohort_checks import weights_of
from medp2p.data.geometry import PlaneGrid, each_plane, to_planes
from medp2p.data.intensity import HIGH, LOW, IntensityMap
from medp2p.data.loading import LoadedCase
from medp2p.data.prepared import PreparedCase

Data = dict[Hashable, Any]
CASE, LIMITS, WEIGHT, BODY, PREPARED = "@case", "@limits", "@weight", "@body", "@prepared"
"""Keys beside those of the channels, which have no @ in their names."""


def prepare(loaded: LoadedCase, config: Config) -> PreparedCase:
    """The planes of one case as the store keeps them."""
    prepared: PreparedCase = preparation(config)({CASE: loaded})[PREPARED]
    return prepared


def preparation(config: Config) -> Compose:
    """Everything that a case goes through once before training: from its LoadedCase to its PreparedCase."""
    channels, targets = config.data.channels, config.data.target
    maps = {name: IntensityMap(kind=each.kind, low=each.low, high=each.high, hu=each.hu)
            for name, each in config.intensity.items() if name in channels}  # fmt: skip
    of_volume = [name for name in channels if maps[name].kind == "percentile"]
    windows = [
        ScaleIntensityRanged(name, maps[name].low, maps[name].high, b_min=LOW, b_max=HIGH, clip=True)
        for name in channels
        if maps[name].kind == "window"
    ]
    masking = [BodyOnTargetd(targets[:1], hu=maps[targets[0]].hu)] if config.preparation.mask_outside_body else []
    return Compose(
        [
            ScansOfCased(channels, config.regions.weights),
            Orientationd([*channels, WEIGHT, BODY], axcodes="RAS", labels=None, allow_missing_keys=True),
            FitLimitsd(channels, maps),
            *masking,
            *windows,
            *([MapIntensityd(of_volume)] if of_volume else []),
            *([LowOutsideBodyd(targets)] if masking else []),
            PlanesOfScansd(
                channels, config.preparation.plane, config.preparation.spacing_mm, size=config.preparation.resize
            ),
        ]
    )


class ChannelTransform(MapTransform):
    """A MapTransform of MONAI whose keys are names of channels."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self.names = tuple(names)


class ScansOfCased(ChannelTransform):
    """The scans of a LoadedCase as tensors (1, X, Y, Z) in the order of their files; its body, and weights if any."""

    def __init__(self, names: Sequence[str], weights: Mapping[str, float]) -> None:
        super().__init__(names)
        self.weights = weights

    def __call__(self, data: Mapping[Hashable, Any]) -> Data:
        """The scans of the case under the names of their channels."""
        loaded: LoadedCase = data[CASE]
        affine, found = loaded.grid.affine, dict(data)
        for name in self.names:
            found[name] = tensor_of(loaded.volumes[name].voxels, affine)
        if loaded.body is not None:
            found[BODY] = tensor_of(loaded.body, affine)
        weights = weights_of(loaded.regions, self.weights)
        if weights and loaded.regions is not None:
            found[WEIGHT] = tensor_of(loaded.regions.weight_map(weights), affine)
        return found


class FitLimitsd(ChannelTransform):
    """What the map of each channel is fitted to, under `LIMITS`; on all voxels as scanned."""

    def __init__(self, names: Sequence[str], maps: Mapping[str, IntensityMap]) -> None:
        super().__init__(names)
        self.maps = maps

    def __call__(self, data: Mapping[Hashable, Any]) -> Data:
        """The limits of every channel."""
        limits = {name: self.maps[name].fit(data[CASE].volumes[name].voxels) for name in self.names}
        return {**data, LIMITS: limits}


class BodyOnTargetd(ChannelTransform):
    """The body, found on the target where the case has no mask of it."""

    def __init__(self, names: Sequence[str], *, hu: bool) -> None:
        super().__init__(names)
        self.hu = hu

    def __call__(self, data: Mapping[Hashable, Any]) -> Data:
        """The mask of the body."""
        if BODY in data:
            return dict(data)
        body = find_body(_array(data[self.names[0]]), hu=self.hu)
        return {**data, BODY: torch.from_numpy(body)[None]}


class MapIntensityd(ChannelTransform):
    """Channels mapped by the limits they were fitted to."""

    def __call__(self, data: Mapping[Hashable, Any]) -> Data:
        """The channels within [-1, 1]."""
        mapped = {name: IntensityMap.forward(data[name].numpy(), data[LIMITS][name]) for name in self.names}
        return {**data, **{name: torch.from_numpy(each) for name, each in mapped.items()}}


class LowOutsideBodyd(ChannelTransform):
    """Targets at the low end of their map outside the body; as they are where no body was found."""

    def __call__(self, data: Mapping[Hashable, Any]) -> Data:
        """The targets, masked."""
        outside = data[BODY] == 0
        if outside.all():
            return dict(data)
        return {**data, **{name: data[name].masked_fill(outside, LOW) for name in self.names}}


class PlanesOfScansd(ChannelTransform):
    """The planes of all channels and weights as a PreparedCase, under `PREPARED`; the scans themselves are let go."""

    def __init__(
        self,
        names: Sequence[str],
        plane: str,
        spacing_mm: tuple[float, float] | None,
        *,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(names)
        self.plane, self.spacing_mm, self.size = plane, spacing_mm, size

    def __call__(self, data: Mapping[Hashable, Any]) -> Data:
        """The prepared case, and where it comes from."""
        grid = PlaneGrid.of(data[CASE].grid, self.plane, self.spacing_mm, size=self.size)
        weight = to_planes(_array(data[WEIGHT]), grid, nearest=True) if WEIGHT in data else None
        channels = {name: each_plane(_array(data[name]), grid) for name in self.names}
        return {CASE: data[CASE], PREPARED: PreparedCase.of(grid, channels, weight, data[LIMITS])}


def tensor_of(voxels: NDArray[Any], affine: NDArray[np.float64]) -> MetaTensor:
    """Voxels (X, Y, Z) as MONAI takes them: float32 or wider, or a mask, shape (1, X, Y, Z), with their affine."""
    values = voxels.astype(bool if voxels.dtype == bool else np.result_type(voxels.dtype, np.float32), order="K")
    return MetaTensor(torch.from_numpy(values)[None], affine=torch.from_numpy(affine.copy()))


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor[0].numpy()
    return array
