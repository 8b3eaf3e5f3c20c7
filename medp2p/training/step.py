"""One update of both networks, in the reference's order."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from medp2p.errors import ConfigError, GeometryError, TrainingError
from medp2p.losses import adversarial_losses, check_weight, over_target, weighted_l1
from medp2p.training.optimiser import DenseOptimizer, OptimizerFactory, adam


class Pix2PixUpdate:
    """Trains a generator and a discriminator by one batch at a time.

    Args:
        generator: From sources to predicted targets; changed in place.
        discriminator: From pairs to logits; changed in place.
        adversarial: Name of an adversarial loss.
        adversarial_weight: Factor of the generator's adversarial loss.
        l1_weight: Factor of the region-weighted L1.
        learning_rate: Of both optimisers.
        betas: Of Adam.
        precision: fp32, or bf16 for autocast; weights, last layer, losses and optimisers are float32 in both.
        backward: What runs a loss backwards; `loss.backward()` where nothing is given.
        optimizer: Makes an optimiser of parameters; Adam where nothing is given.

    Raises:
        ConfigError: There is no loss or precision of that name.

    Source:
        Isola et al. 2017, in the order of the authors' PyTorch code: generator forward once; discriminator backward
        and step; generator backward, against the discriminator already updated, and step.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        adversarial: str = "vanilla",
        adversarial_weight: float = 1.0,
        l1_weight: float = 100.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        precision: str = "fp32",
        backward: Callable[[Tensor], None] = Tensor.backward,
        optimizer: OptimizerFactory | None = None,
    ) -> None:
        _known("loss.adversarial", adversarial, list(adversarial_losses))
        _known("training.precision", precision, ["fp32", "bf16"])
        self.generator, self.discriminator = generator, discriminator
        self.device = next(generator.parameters()).device
        self.judged_as = adversarial_losses[adversarial]
        self.adversarial_weight, self.l1_weight = adversarial_weight, l1_weight
        self.narrow = precision == "bf16"
        self.backward = backward
        make = optimizer or adam(learning_rate, betas)
        self.optimizer_g, self.optimizer_d = DenseOptimizer(generator, make), DenseOptimizer(discriminator, make)

    def __call__(
        self, source: Tensor, target: Tensor, weight: Tensor, *, total: Tensor | float | None = None
    ) -> dict[str, Tensor]:
        """One step of both networks.

        Args:
            source: Slices scaled to [-1, 1], shape (B, C, H, W), on any device.
            target: Shape (B, D, H, W).
            weight: Of each voxel in the L1; broadcast to (B, D, H, W).
            total: The sum of weights that the L1 is divided by; this batch's where nothing is given.

        Returns:
            Scalars without gradient, on the device of the networks: `loss_g` and `loss_d` as optimised;
            `loss_adversarial`, `loss_l1`, `loss_d_real`, `loss_d_fake` without factors.

        Raises:
            RegionError: A weight is negative or not finite; nothing is updated.
            GeometryError: Source, target and weight do not lie on one another; nothing is updated.
        """
        check_weight(weight)
        _check_shapes(source, target)
        over_target(weight, target)
        source, target, weight = (part.to(self.device, non_blocking=True) for part in (source, target, weight))
        self.generator.train()
        self.discriminator.train()
        self.generator.zero_grad()  # before the forward pass, which needs the room
        fake = self._autocast(self.generator, source)

        self.discriminator.zero_grad()
        loss_d_fake = self._judged(source, fake.detach(), real=False)
        loss_d_real = self._judged(source, target, real=True)
        loss_d = 0.5 * (loss_d_fake + loss_d_real)
        self.backward(loss_d)
        self.optimizer_d.step()

        with _frozen(self.discriminator):
            loss_adversarial = self._judged(source, fake, real=True)
            loss_l1 = weighted_l1(fake, target, weight, total=total)
            loss_g = self.adversarial_weight * loss_adversarial + self.l1_weight * loss_l1
            self.backward(loss_g)
        self.optimizer_g.step()
        losses = {"loss_g": loss_g, "loss_adversarial": loss_adversarial, "loss_l1": loss_l1}
        losses |= {"loss_d": loss_d, "loss_d_real": loss_d_real, "loss_d_fake": loss_d_fake}
        return {name: loss.detach() for name, loss in losses.items()}

    def set_learning_rate(self, learning_rate: float) -> None:
        """The rate of both optimisers from the next step on."""
        for optimizer in (self.optimizer_g, self.optimizer_d):
            optimizer.set_learning_rate(learning_rate)

    def state_dict(self) -> dict[str, Any]:
        """What the optimisers remember; the networks have states of their own."""
        return {"optimizer_g": self.optimizer_g.state_dict(), "optimizer_d": self.optimizer_d.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on with what `state_dict` gave."""
        self.optimizer_g.load_state_dict(state["optimizer_g"])
        self.optimizer_d.load_state_dict(state["optimizer_d"])

    def _judged(self, source: Tensor, target: Tensor, *, real: bool) -> Tensor:
        """The adversarial loss of a pair against the answer that is wanted."""
        return self.judged_as(self._autocast(self.discriminator, torch.cat([source, target], dim=1)), real)

    def _autocast(self, network: nn.Module, images: Tensor) -> Tensor:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.narrow):
            answer: Tensor = network(images)
        return answer


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """A network without gradients of its own, for as long as it is only asked; whatever happens meanwhile."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _check_shapes(source: Tensor, target: Tensor) -> None:
    if source.ndim != 4 or target.ndim != 4 or (len(source), *source.shape[2:]) != (len(target), *target.shape[2:]):
        raise GeometryError(
            None,
            "source and target are no slices of one size",
            found=f"{tuple(source.shape)} and {tuple(target.shape)}",
            expected="(B, C, H, W) and (B, D, H, W)",
            fix="cut both from the same places",
        )


def check_finite(losses: Mapping[str, Tensor | float], *, where: str) -> None:
    """Stops a training that has diverged; waits for the device that the losses are on.

    Args:
        losses: By name.
        where: Epoch and step, for the message.

    Raises:
        TrainingError: A loss is infinite or not a number; all such are named.

    Examples:
        >>> check_finite({"loss_g": torch.tensor(3.0)}, where="epoch 1, step 2")
    """
    bad = {name: float(loss) for name, loss in losses.items() if not torch.isfinite(torch.as_tensor(loss))}
    if bad:
        raise TrainingError(
            None,
            f"training diverged at {where}",
            found=", ".join(f"{name} = {value}" for name, value in bad.items()),
            expected="finite losses",
            fix="lower training.learning_rate or loss.l1_weight, and train anew (--overwrite)",
        )


def _known(key: str, name: str, known: list[str]) -> None:
    if name not in known:
        raise ConfigError(None, "there is none of that name", found=name, fix=f"one of {', '.join(known)}", key=key)
