"""The losses of pix2pix: pure functions on tensors."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from medp2p.errors import GeometryError, RegionError


def region_weighted_l1(
    predicted: Tensor, target: Tensor, weight: Tensor, *, total: Tensor | float | None = None
) -> Tensor:
    """Mean absolute difference in which every voxel counts as much as its weight says.

    `sum(weight * |predicted - target|) / sum(weight)`: equal weights give the plain L1, and raising the weight of a
    rare region leaves the scale of the loss as it is. Without any weight it is 0, with a gradient of 0.

    Args:
        predicted: Shape (B, C, H, W).
        target: Shape (B, C, H, W).
        weight: Finite and not negative; broadcast to (B, C, H, W) before both sums.
        total: The sum of weights to divide by; that of all devices where each holds a part of the batch.

    Returns:
        A scalar, float32 for any narrower input.

    Raises:
        GeometryError: The shapes do not go together.
        RegionError: A weight is negative or not finite.

    Examples:
        >>> target = torch.zeros(1, 1, 1, 2)
        >>> region_weighted_l1(target + torch.tensor([1.0, 3.0]), target, torch.tensor([3.0, 1.0])).item()
        1.5
    """
    check_weight(weight)
    return weighted_l1(predicted, target, weight, total=total)


def check_weight(weight: Tensor) -> None:
    """Refuses weights that no voxel can have; waits once for the device they are on.

    Raises:
        RegionError: A weight is negative or not finite.
    """
    if weight.numel() == 0:
        return
    least, most = (float(bound) for bound in torch.stack(torch.aminmax(weight.detach())).tolist())
    if not (least >= 0.0 and most < float("inf")):
        raise RegionError(
            None,
            "a weight of the L1 is negative or not finite",
            found=f"{least:g} to {most:g}",
            expected="finite weights of 0 or more",
            fix="correct regions.weights, or the weight map given",
            key="weight",
        )


def weighted_l1(predicted: Tensor, target: Tensor, weight: Tensor, *, total: Tensor | float | None = None) -> Tensor:
    """`region_weighted_l1` of weights that are checked already: never waits for a device."""
    if predicted.shape != target.shape:
        raise GeometryError(
            None,
            "predicted and target differ in shape",
            found=tuple(predicted.shape),
            expected=tuple(target.shape),
            fix="give both as (B, C, H, W)",
        )
    dtype = torch.promote_types(predicted.dtype, torch.float32)
    weight = over_target(weight.to(dtype), target)
    divisor = weight.sum() if total is None else torch.as_tensor(total, device=target.device)
    weighted = (weight * (predicted.to(dtype) - target.to(dtype)).abs()).sum()
    return weighted / torch.where(divisor > 0, divisor, 1.0)


def over_target(weight: Tensor, target: Tensor) -> Tensor:
    """A weight broadcast to the shape of the target; nothing is copied.

    Raises:
        GeometryError: It does not fit.
    """
    try:
        return weight.expand(target.shape)
    except RuntimeError as error:
        raise GeometryError(
            None,
            "the weight does not fit the target",
            found=tuple(weight.shape),
            expected=f"what broadcasts to {tuple(target.shape)}",
            fix="give one weight a voxel, (B, 1, H, W) for all channels alike",
        ) from error


def adversarial_vanilla(logits: Tensor, real: bool) -> Tensor:
    """Cross-entropy of the discriminator's logits against one answer for all of them.

    Args:
        logits: Of any shape; above 0 where the discriminator believes the pair to be real.
        real: The answer that is wanted.

    Source:
        Goodfellow et al. 2014, in the form of Isola et al. 2017 (`BCEWithLogitsLoss`).

    Examples:
        >>> adversarial_vanilla(torch.zeros(2), real=True).item() == adversarial_vanilla(torch.zeros(2), False).item()
        True
    """
    return functional.softplus(-logits if real else logits).mean()


def adversarial_lsgan(logits: Tensor, real: bool) -> Tensor:
    """Mean square of the discriminator's answers against 1 (real) or 0.

    Args:
        logits: Of any shape.
        real: The answer that is wanted.

    Source:
        Mao et al. 2017, Least Squares Generative Adversarial Networks.

    Examples:
        >>> adversarial_lsgan(torch.full((2,), 3.0), real=True).item()
        4.0
    """
    return ((logits - 1.0) if real else logits).square().mean()


adversarial_losses: dict[str, Callable[[Tensor, bool], Tensor]] = {
    "vanilla": adversarial_vanilla,
    "lsgan": adversarial_lsgan,
}
