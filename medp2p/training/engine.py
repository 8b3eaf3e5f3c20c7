"""Device and processes of a training, from Lightning Fabric; no other file of the package names it."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, distributed, nn

from medp2p.cores import usable_cores
from medp2p.device import resolve_device
from medp2p.errors import ConfigError, TrainingError

logger = logging.getLogger(__name__)

_PATIENCE = timedelta(days=1)
"""How long processes wait for each other: a validation of the main one may take hours."""


@contextmanager
def _in_silence() -> Iterator[None]:
    """Fabric tells of every process that it starts, past the run's own log."""
    talkative = logging.getLogger("lightning_fabric")
    level = talkative.level
    talkative.setLevel(logging.WARNING)
    try:
        yield
    finally:
        talkative.setLevel(level)


class Engine:
    """Where a training runs: one device, or several processes that share each batch.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        devices: Processes on this machine, each with a device of its own.
        nodes: Machines.

    Raises:
        ConfigError: There are not so many devices, or not as many processes as were asked for.
    """

    def __init__(self, device: str = "auto", devices: int = 1, nodes: int = 1) -> None:
        where = resolve_device(device)
        several = devices * nodes > 1
        if where.type == "cuda" and devices > torch.cuda.device_count():
            raise ConfigError(None, "not so many devices", key="--devices", found=torch.cuda.device_count(),
                              expected=devices, fix="ask for fewer")  # fmt: skip
        if several and where.type == "mps":
            raise ConfigError(None, "mps is one device", key="--devices", found=devices, fix="write --devices 1")
        single = [where.index or 0] if where.type == "cuda" else 1
        try:
            self._fabric = Fabric(
                accelerator=where.type,
                devices=devices if several else single,
                num_nodes=nodes,
                strategy=DDPStrategy(timeout=_PATIENCE) if several else "auto",
                # a single process heeds no variable that a scheduler set for other launches
                plugins=None if several else LightningEnvironment(),
            )
            if several:
                with _in_silence():
                    self._fabric.launch()
        except (ValueError, RuntimeError) as error:
            if not several:
                raise
            raise ConfigError(
                None,
                "the processes did not find each other",
                key="--devices and --nodes",
                found=" ".join(str(error).split())[:200],
                fix="make them those of torchrun or of the job: its tasks per node, its nodes",
            ) from error
        self.device = self._fabric.device
        self.rank, self.world_size = self._fabric.global_rank, self._fabric.world_size
        if where.type == "cpu" and devices > (cores := usable_cores()) and self.is_main:
            logger.warning("%d processes share %d cores, and each waits for the others: one is faster", devices, cores)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Work that all processes do and end together.

        Raises:
            TrainingError: Another process ended before its time.
        """
        try:
            yield
            self.barrier()
        except RuntimeError as error:
            if self.world_size == 1 or not _is_of_the_group(error):
                raise
            lost = TrainingError(
                None,
                "another process of this training ended before its time",
                key="--devices",
                found=str(error).strip().partition("\n")[0].rpartition("] ")[2][:120],
                fix="see what ended it; the same command with --resume goes on from the last state",
            )
            raise lost from error
        if self.world_size > 1:
            distributed.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def backward(self, loss: Tensor) -> None:
        """Runs a loss backwards, gradients averaged over processes."""
        self._fabric.backward(loss)

    def shared(self, network: nn.Module) -> nn.Module:
        """The network as the update shall call it: itself, or wrapped so that gradients are averaged."""
        network.to(self.device)
        return network if self.world_size == 1 else self._fabric.setup_module(network)

    def barrier(self) -> None:
        """Waits for all processes."""
        self._fabric.barrier()

    def broadcast(self, value: Any) -> Any:
        """The main process's value."""
        if self.world_size == 1:
            return value
        return self._fabric.broadcast(value)

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes, in their order; it waits for all of them."""
        values = [value] * self.world_size
        if self.world_size > 1:
            distributed.all_gather_object(values, value)
        return values

    def any(self, flag: int | None) -> int | None:
        """The largest of the flags of all processes, so that they all do the same."""
        if self.world_size == 1:
            return flag
        return int(self._reduced(torch.tensor(float(flag or 0), device=self.device), "max")) or None

    def weight_total(self, weight: Tensor) -> Tensor | None:
        """What one process divides its weighted L1 by, so that the average over processes is that of the batch."""
        if self.world_size == 1:
            return None
        total = weight.sum(dtype=torch.float64).float().to(self.device)
        return self._reduced(total, "mean")

    def mean(self, losses: Mapping[str, Tensor], samples: int) -> dict[str, float]:
        """Losses of a batch as numbers, averaged over the samples of all processes; waits for the device."""
        values = torch.stack([losses[name].float() for name in losses])
        if self.world_size > 1:
            count = torch.tensor(float(samples), device=self.device)
            values = self._reduced(values * count, "sum") / self._reduced(count, "sum")
        return dict(zip(losses, values.tolist(), strict=True))

    def _reduced(self, tensor: Tensor, how: str) -> Tensor:
        reduced = self._fabric.all_reduce(tensor, reduce_op=how)
        return torch.as_tensor(reduced)

    @contextmanager
    def seeded(self, seed: int, epoch: int, step: int) -> Iterator[None]:
        """Random numbers of torch that depend on these alone; those of a host program go on where they were."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(((seed * 1_000_003 + epoch) * 1_000_003 + step) * 1_009 + self.rank & (2**63 - 1))
            yield


def _is_of_the_group(error: RuntimeError) -> bool:
    """Whether processes could not talk to each other; gloo has no type of error for it."""
    return isinstance(error, distributed.DistError) or any(word in str(error) for word in ("gloo", "NCCL", "store"))
