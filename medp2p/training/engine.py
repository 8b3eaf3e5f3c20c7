"""Device and processes of a training, from Lightning Fabric; no other file of the package names it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor, nn

from medp2p.device import resolve_device
from medp2p.errors import ConfigError


class Engine:
    """Where a training runs: one device, or several processes that share each batch.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        devices: Processes on this machine, each with a device of its own.
        nodes: Machines.

    Raises:
        ConfigError: There are not so many devices.
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
        self._fabric = Fabric(
            accelerator=where.type,
            devices=devices if several else single,
            num_nodes=nodes,
            strategy="ddp" if several else "auto",
            # a single process heeds no variable that a scheduler set for other launches
            plugins=None if several else LightningEnvironment(),
        )
        if several:
            self._fabric.launch()
        self.device = self._fabric.device
        self.rank, self.world_size = self._fabric.global_rank, self._fabric.world_size

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
