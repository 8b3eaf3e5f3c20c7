"""Translator: a trained generator as a function from scan to scan, on exactly the scan's grid."""

import logging
import threading
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from medp2p.data.framing import pad_to_size
from medp2p.data.geometry import PlaneGrid, from_planes
from medp2p.data.intensity import LOW, IntensityMap, Limits
from medp2p.data.planes import channel_planes, planes
from medp2p.device import Precision, resolve_device, resolve_precision
from medp2p.errors import GeometryError, ModelError
from medp2p.networks import set_reference_habit
from medp2p.networks.limits import size_multiple, smallest_size
from medp2p.picture import PictureForm, bits_of, in_channels, is_picture, of_channels
from medp2p.translation.description import ChannelMap, Description
from medp2p.translation.generator import in_channels_last, load_network
from medp2p.translation.memory import needed_bytes, tell_where_short
from medp2p.translation.progress import Progress
from medp2p.translation.runtime import compile_network
from medp2p.translation.runtime_choice import choose
from medp2p.translation.safeguards import refuse_other_grids, tell_foreign_values
from medp2p.volume import Array, Volume, require_volume

logger = logging.getLogger(__name__)

_DEPTHS: dict[int, type[np.generic]] = {8: np.uint8, 16: np.uint16}
_PLANES_AT_ONCE = {"cpu": 8, "cuda": 32, "mps": 16}
"""Slices of 256 x 256 pixels in a batch: more are no faster, and take memory."""


class Translator:
    """Makes of a scan the scan that its model predicts. It may be called from several threads.

    Args:
        network: The generator, on its device and in the mode it shall translate in.
        description: What it was trained on: channels, preparation, intensity maps.
        device: Where the network is.
        precision: `fp32` or `bf16`.
        batch_size: Slices at once; None chooses by their size. It changes no result beyond rounding.
        runtime: A name of `medp2p.translation.runtime.runtimes`, or `auto`. `plain` leaves the network as it is, so
            that it may go on learning; every other takes it over.
        sha256: Hash of the model's weights; empty while it is being trained.
        description_sha256: Hash of the model's description.

    Examples:
        >>> translator = Translator.load("runs/mr2ct")  # doctest: +SKIP
        >>> ct = translator(medp2p.read_volume("mr.nii.gz"))  # doctest: +SKIP
    """

    def __init__(
        self,
        network: nn.Module,
        description: Description,
        *,
        device: torch.device,
        precision: Precision,
        batch_size: int | None = None,
        runtime: str = "plain",
        sha256: str = "",
        description_sha256: str = "",
    ) -> None:
        self.description = description
        self.device = device
        self.precision = precision
        self.sha256 = sha256
        self.description_sha256 = description_sha256
        self.runtime = choose(network, precision, device, channels=description.in_channels, runtime=runtime).runtime
        self._weight_bytes = sum(parameter.nbytes for parameter in network.parameters())
        self._compute = compile_network(network, precision, device, runtime=self.runtime)
        self._one_at_a_time = threading.Lock()  # torch has one random state for all threads
        self._batch_size = batch_size
        self._maps = {name: intensity_map(entry) for name, entry in description.intensity.items()}

    @classmethod
    def load(
        cls,
        run: str | PathLike[str],
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int | None = None,
        runtime: str = "auto",
    ) -> "Translator":
        """The translator of a run folder, or of its `generator.safetensors` alone.

        Args:
            run: The folder or file.
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
            precision: `auto` (the one stored with the model), `fp32` or `bf16`.
            batch_size: Slices at once; None chooses.
            runtime: How the network is computed: `auto` or a name of `medp2p.translation.runtime.runtimes`.

        Raises:
            ModelError: It is no model, is damaged, or comes from a newer medp2p.
            ConfigError: The device is not there, the precision is none, or the runtime does not fit.
        """
        where = resolve_device(device)
        network, header = load_network(Path(run))
        in_channels_last(network.requires_grad_(False).to(where)).eval()
        set_reference_habit(network, header.description.habit == "training")
        return cls(
            network,
            header.description,
            device=where,
            precision=resolve_precision(precision, where, header.description.precision),
            batch_size=batch_size,
            runtime=runtime,
            sha256=header.sha256,
            description_sha256=header.description_sha256,
        )

    def __call__(self, scan: Volume | Mapping[str, Volume], *, progress: Progress | None = None) -> Volume:
        """The predicted scan, on the grid and with the header of the given one.

        Args:
            scan: The source, or every source by its channel's name, all on one grid.
            progress: Called with slices done, slices in all and what is being done.

        Returns:
            `int16` HU within the window of a target in HU; a picture in the depth that the model learnt; else
            `float32`.

        Raises:
            GeometryError: A channel is missing, unknown or no Volume, or lies on another grid.
            ModelError: The model has several targets; `translate_all` gives them all.
        """
        predicted = self.translate_all(scan, progress=progress)
        if len(predicted) > 1:
            raise ModelError(
                None, "the model has several targets", found=", ".join(predicted), fix="call translate_all for them all"
            )
        return next(iter(predicted.values()))

    def translate_all(
        self, scan: Volume | Mapping[str, Volume], *, progress: Progress | None = None
    ) -> dict[str, Volume]:
        """As a call, for models with any number of targets: every predicted scan, or picture, by its name."""
        sources = self._checked(scan)
        first = next(iter(sources.values()))
        arrays = {name: volume.to_ras() for name, volume in sources.items()}
        limits = {name: self._limits(name, array) for name, array in arrays.items()}
        grid = self._grid(first)
        self._tell_memory(sources, grid)
        predicted = {name: np.empty(grid.shape_ras, self._type(name), order="F") for name in self.description.targets}
        step = self._slices_at_once(grid)
        for start in range(0, grid.count, step):
            stop = min(start + step, grid.count)
            made = self._generate(self._prepared(arrays, limits, grid, start, stop), start)
            for channel, name in enumerate(self.description.targets):
                predicted[name][grid.within(start, stop)] = self._finished(
                    name, made[:, channel], grid.part(start, stop)
                )
            if progress:
                progress(stop, grid.count, "translating")
        made_volumes = {name: first.from_ras(array) for name, array in predicted.items()}
        return of_channels(made_volumes) if self.description.pictures else made_volumes

    def _checked(self, scan: Volume | Mapping[str, Volume]) -> dict[str, Volume]:
        """Every source channel by its name, all on one grid."""
        names = tuple(self.description.source_images)
        given = dict(scan) if isinstance(scan, Mapping) else {names[0]: scan}
        for name, volume in given.items():
            require_volume(volume, name)
        if set(given) != set(names):
            raise GeometryError(
                None,
                "the channels are not those of the model",
                found=", ".join(given) or "none",
                expected=", ".join(names),
                fix="give every source by its name",
            )
        if self.description.pictures:
            return self._in_channels(given)
        if any(map(is_picture, given.values())):
            raise GeometryError(None, "a picture for a model of scans", expected="a scan that says where it lies",
                                fix="give a scan, or take a model of pictures")  # fmt: skip
        scans = {name: given[name] for name in names}
        refuse_other_grids(scans)
        return scans

    def _in_channels(self, given: Mapping[str, Volume]) -> dict[str, Volume]:
        """The channels of pictures that are what the model learnt from."""
        for name, channels in self.description.source_images.items():
            wanted, volume = PictureForm(len(channels), self.description.bits[name]), given[name]
            found = PictureForm(volume.shape[2], bits_of(volume)) if is_picture(volume) else repr(volume)
            if found != wanted:
                raise GeometryError(None, f"{name} is another kind of picture than the model learnt from", found=found,
                                    expected=wanted, fix="convert it, or take a model of such pictures")  # fmt: skip
        apart = in_channels(given)
        refuse_other_grids(apart)
        return {name: apart[name] for name in self.description.sources}

    def _limits(self, name: str, array: Array) -> Limits:
        limits = self._maps[name].fit(array)
        if not self.description.pictures:  # a colour of a picture may be nowhere, or everywhere
            tell_foreign_values(name, array, self._maps[name], limits)
        return limits

    def _grid(self, scan: Volume) -> PlaneGrid:
        preparation = self.description.preparation
        return PlaneGrid.of(scan, preparation.plane, preparation.spacing_mm, size=preparation.resize)

    def _type(self, target: str) -> type[np.generic]:
        if self.description.pictures:
            image = next(name for name, given in self.description.target_images.items() if target in given)
            return _DEPTHS[self.description.bits[image]]
        return np.int16 if self._maps[target].hu else np.float32

    def _slices_at_once(self, grid: PlaneGrid) -> int:
        height, width = self._network_size(grid.size)
        if self.description.habit == "training":
            return 1  # the statistics are those of a slice, whatever its neighbours
        return self._batch_size or min(max(_PLANES_AT_ONCE[self.device.type] * 256 * 256 // (height * width), 1), 64)

    def _tell_memory(self, sources: Mapping[str, Volume], grid: PlaneGrid) -> None:
        first = next(iter(sources.values()))
        per_voxel = sum(volume.voxels.itemsize for volume in sources.values())
        per_voxel += sum(np.dtype(self._type(name)).itemsize for name in self.description.targets)
        height, width = self._network_size(grid.size)
        needed = needed_bytes(
            weights=self._weight_bytes,
            voxels=first.voxels.size,
            bytes_per_voxel=per_voxel,
            slices=self._slices_at_once(grid),
            pixels=height * width,
            channels=self.description.generator.channels,
        )
        tell_where_short(needed, first.shape)

    def _network_size(self, size: tuple[int, ...]) -> tuple[int, int]:
        """The least height and width, not below those of a slice, that the generator takes."""
        kind = self.description.generator.kind
        multiple, smallest = size_multiple(kind), smallest_size(kind)
        height, width = (max(-(-length // multiple) * multiple, smallest) for length in size)
        return height, width

    def _prepared(
        self, arrays: Mapping[str, Array], limits: Mapping[str, Limits], grid: PlaneGrid, start: int, stop: int
    ) -> NDArray[np.float32]:
        """Network input of some slices, shape (B, C, H, W), with as many neighbours as the model wants."""
        context = self.description.preparation.context_slices
        low, high = max(start - context, 0), min(stop + context, grid.count)
        around, inside = grid.part(low, high), grid.within(low, high)
        mapped = [channel_planes(arrays[name][inside], around, self._maps[name], limits[name]) for name in arrays]
        return np.stack([planes(mapped, index - low, context) for index in range(start, stop)])

    @torch.inference_mode()
    def _generate(self, images: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        """What the generator makes of slices in [-1, 1] from number `start`, (B, C, H, W) to (B, targets, H, W)."""
        padded, (rows, columns) = pad_to_size(images, self._network_size(images.shape[2:]), LOW)
        batch = torch.from_numpy(padded).to(self.device, memory_format=torch.channels_last)
        made = self._compute(batch) if self.description.habit == "evaluation" else self._with_dropout(batch, start)
        result: NDArray[np.float32] = made.float().cpu().numpy()[:, :, rows, columns]
        if not np.isfinite(result).all():
            raise ModelError(None, "the model made values that are not finite", fix="try --precision fp32")
        return result

    def _with_dropout(self, batch: torch.Tensor, seed: int) -> torch.Tensor:
        """The reference's habit with one answer for one slice: what is dropped depends on the slice's number alone."""
        devices = [self.device] if self.device.type == "cuda" else []
        with self._one_at_a_time, torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            return self._compute(batch)

    def _finished(self, target: str, made: NDArray[np.float32], grid: PlaneGrid) -> Array:
        """Slices in [-1, 1] as values of the target, in RAS order on the scan's own in-plane grid."""
        entry, stored = self._maps[target], self.description.intensity[target].limits
        limits, kind = Limits(*stored) if stored else Limits(entry.low, entry.high), np.dtype(self._type(target))
        low, high = limits.low, limits.high
        if self.description.pictures:
            low, high = max(low, 0.0), min(high, float(np.iinfo(kind).max))

        def undone(plane: Array) -> Array:
            values = entry.inverse(plane, limits)
            # rounded inward where the window has no whole ends, so that no value leaves it
            return np.clip(np.rint(values), np.ceil(low), np.floor(high)) if kind.kind in "iu" else values

        return from_planes(made, grid, mapping=undone, dtype=kind)


def intensity_map(entry: ChannelMap) -> IntensityMap:
    """The map that a model's description holds."""
    return IntensityMap(kind=entry.kind, low=entry.low, high=entry.high, hu=entry.hu)
