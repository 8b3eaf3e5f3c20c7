"""Slices of prepared cases as batches; seed, epoch and number alone decide which, when, and which part of each."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medp2p.data.augmentation import Augmentation
from medp2p.data.draws import CROP, order, uniform
from medp2p.data.entry import Entry
from medp2p.data.framing import window
from medp2p.data.planes import planes
from medp2p.data.prepared import STEPS, as_mapped

_OPEN_AT_ONCE = 32
"""Files kept open: fewer than the 128 that some machines allow a process."""


@dataclass(frozen=True, eq=False)
class SliceBatch:
    """Some slices on their way to the networks.

    Attributes:
        source: float32 in [-1, 1], shape (B, sources x (2 context + 1), H, W), in the order of `planes`.
        target: float32 in [-1, 1], shape (B, targets, H, W).
        weight: float32, shape (B, 1, H, W); 0 where nothing was scanned.
        cases: The case of each slice.
        indices: The number of each slice in the whole cohort.
        epoch: The epoch they were drawn in.
        count: Slices of this step over all devices.
        tallness: Height of each slice's pixels divided by their width.
    """

    source: Tensor
    target: Tensor
    weight: Tensor
    cases: tuple[str, ...]
    indices: tuple[int, ...]
    epoch: int
    count: int
    tallness: tuple[float, ...]

    def to(self, device: torch.device | str) -> "SliceBatch":
        """The same slices on a device; from pinned memory without waiting."""
        source, target, weight = (
            part.to(device, non_blocking=True) for part in (self.source, self.target, self.weight)
        )
        return replace(self, source=source, target=target, weight=weight)

    def pinned(self) -> "SliceBatch":
        """The same slices in memory from which a GPU can fetch them by itself."""
        source, target, weight = (part.pin_memory() for part in (self.source, self.target, self.weight))
        return replace(self, source=source, target=target, weight=weight)


class SliceIndex:
    """The slices of a cohort under one number each, in the order of the cases.

    Args:
        counts: Slices of each case.

    Examples:
        >>> index = SliceIndex([3, 2])
        >>> len(index), index.place(3)
        (5, (1, 0))
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self._ends = np.cumsum(np.asarray(counts, np.int64))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def place(self, number: int) -> tuple[int, int]:
        """Which case a slice is of, and which of its slices it is."""
        case = int(np.searchsorted(self._ends, number, side="right"))
        return case, number - (int(self._ends[case - 1]) if case else 0)


class SliceLoader:
    """Batches of an epoch, in an order of its own for each epoch; memory does not grow with the cohort.

    Args:
        entries: The prepared cases, in the order of their ids.
        sources: How many of their channels are sources; the others are targets.
        size: (H, W) of a slice. Larger planes are cut at a place drawn anew in every epoch, smaller ones padded in
            the middle with -1 and the weight 0.
        context: Neighbours on each side of a source.
        batch_size: Slices of a step, over all devices.
        seed: `training.seed`.
        augmentation: What is changed at random.
        device: Where batches go before they are changed.
        rank: Which part of every batch this process gets, from 0.
        world_size: How many processes share a batch; each gets equally many slices.
        ahead: Batches made in advance, in a thread; it changes no batch.

    Raises:
        ValueError: No slice, or a batch that the devices do not divide.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        sources: int,
        size: tuple[int, int],
        batch_size: int,
        seed: int,
        context: int = 0,
        augmentation: Augmentation | None = None,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world_size: int = 1,
        ahead: int = 2,
    ) -> None:
        self._index = SliceIndex([entry.count for entry in entries])
        if not len(self._index) or batch_size % world_size:
            raise ValueError(f"{len(self._index)} slices, batches of {batch_size}, {world_size} devices")
        self._entries, self._sources, self._size, self._context = tuple(entries), sources, size, context
        self._batch_size, self._seed, self._augmentation = batch_size, seed, augmentation or Augmentation()
        self._device, self._rank, self._world_size, self._ahead = torch.device(device), rank, world_size, ahead
        self._open = lru_cache(maxsize=_OPEN_AT_ONCE)(self._opened)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def steps(self) -> int:
        """Steps of an epoch, one at least; the last one may have fewer slices."""
        return len(self._plan(0))

    @property
    def weightless(self) -> int:
        """Slices whose weights sum to 0: they count as loss 0."""
        return sum(not total > 0 for entry in self._entries for total in entry.weight_sums)

    def batches(self, epoch: int, start_step: int = 0) -> Iterator[SliceBatch]:
        """The batches of an epoch from one of its steps on: the same however far training had come before."""
        steps = self._plan(epoch)[start_step:]
        if not self._ahead:
            yield from (self._finished(self._batch(epoch, step)) for step in steps)
            return
        waiting: deque[Future[SliceBatch]] = deque()
        with ThreadPoolExecutor(1, "medp2p-slices") as thread:
            try:
                for step in steps:
                    waiting.append(thread.submit(self._batch, epoch, step))
                    if len(waiting) > self._ahead:
                        yield self._finished(waiting.popleft().result())
                while waiting:
                    yield self._finished(waiting.popleft().result())
            finally:
                thread.shutdown(wait=False, cancel_futures=True)

    def _plan(self, epoch: int) -> list[NDArray[np.intp]]:
        """The slices of each step over all devices; of several devices each gets equally many."""
        numbers = order(self._seed, epoch, len(self._index))
        starts = range(0, len(numbers), self._batch_size)
        steps = [numbers[start : start + self._batch_size] for start in starts]
        if self._world_size > 1:
            whole = [step[: len(step) // self._world_size * self._world_size] for step in steps]
            steps = [step for step in whole if len(step)] or [np.resize(numbers, self._world_size)]
        return steps

    def _batch(self, epoch: int, step: NDArray[np.intp]) -> SliceBatch:
        """One step's slices of this process, as scanned and prepared."""
        numbers = [int(number) for number in step[self._rank :: self._world_size]]
        places = uniform(CROP, self._seed, epoch, numbers, 2)
        channels = len(self._entries[0].channels)
        inputs = self._sources * (2 * self._context + 1)
        images = np.full((len(numbers), inputs + channels - self._sources, *self._size), -STEPS, np.int16)
        weight = np.zeros((len(numbers), 1, *self._size), np.float32)
        entries = []
        for row, number in enumerate(numbers):
            case, index = self._index.place(number)
            self._fill(images[row], weight[row, 0], case, index, places[row])
            entries.append(self._entries[case])
        mapped = torch.from_numpy(as_mapped(images))
        batch = SliceBatch(
            source=mapped[:, :inputs],
            target=mapped[:, inputs:],
            weight=torch.from_numpy(weight),
            cases=tuple(entry.case for entry in entries),
            indices=tuple(numbers),
            epoch=epoch,
            count=len(step),
            tallness=tuple(entry.spacing_mm[0] / entry.spacing_mm[1] for entry in entries),
        )
        return batch.pinned() if self._device.type == "cuda" else batch

    def _fill(
        self, images: NDArray[np.int16], weight: NDArray[np.float32], case: int, index: int, place: NDArray[np.float64]
    ) -> None:
        """One slice, cut or padded, into its place in a batch."""
        entry, (stored, numbers) = self._entries[case], self._open(case)
        (rows, to_rows), (columns, to_columns) = (
            window(length, wanted, float(where))
            for length, wanted, where in zip(entry.size, self._size, place, strict=True)
        )
        part = stored[:, :, rows, columns]
        sources = [part[:, channel] for channel in range(self._sources)]
        inputs = planes(sources, index, self._context)
        images[: len(inputs), to_rows, to_columns] = inputs
        images[len(inputs) :, to_rows, to_columns] = part[index, self._sources :]
        weight[to_rows, to_columns] = entry.table[0] if numbers is None else entry.table[numbers[index, rows, columns]]

    def _finished(self, batch: SliceBatch) -> SliceBatch:
        """A batch on its device, changed at random."""
        there = batch.to(self._device)
        source, target, weight = self._augmentation(
            there.source,
            there.target,
            there.weight,
            seed=self._seed,
            epoch=batch.epoch,
            indices=batch.indices,
            tallness=batch.tallness,
        )
        return replace(there, source=source, target=target, weight=weight)

    def _opened(self, case: int) -> tuple[NDArray[np.int16], NDArray[np.uint8] | None]:
        return self._entries[case].open()
