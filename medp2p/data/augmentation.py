"""Random changes of training slices, a batch at once on the device: the same for source, target and weight."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medp2p.data.draws import AUGMENTATION, uniform
from medp2p.data.intensity import LOW


@dataclass(frozen=True)
class Changes:
    """What is done to each slice of a batch, drawn before anything is done; every tensor has shape (B,).

    Attributes:
        flip: Whether left and right change places (front and back of sagittal slices).
        radians: Angle of rotation.
        scale: Factor of size; above 1 the picture grows.
        shift: Along height and width, as fractions of them; shape (B, 2).
        tallness: Height of a pixel divided by its width, so that what is turned stays as long as it is.
    """

    flip: Tensor
    radians: Tensor
    scale: Tensor
    shift: Tensor
    tallness: Tensor


@dataclass(frozen=True)
class Augmentation:
    """How much training slices are changed at most; with zeros nothing is done, bit for bit.

    Args:
        flip: Probability of a flip along the width.
        rotate_degrees: At most so many degrees to either side.
        scale: At most this fraction larger or smaller.
        translate: At most this fraction of width and height to either side.

    Examples:
        >>> source = torch.rand(2, 1, 8, 8)
        >>> changed, *_ = Augmentation(flip=1.0)(source, source, source, seed=0, epoch=0, indices=[0, 1])
        >>> bool((changed == source.flip(-1)).all())
        True
    """

    flip: float = 0.0
    rotate_degrees: float = 0.0
    scale: float = 0.0
    translate: float = 0.0

    @property
    def moves(self) -> bool:
        """Whether slices are resampled, not only flipped."""
        return bool(self.rotate_degrees or self.scale or self.translate)

    def draw(
        self, *, seed: int, epoch: int, indices: Sequence[int], tallness: Sequence[float] | None = None
    ) -> Changes:
        """The changes of some slices: they depend on seed, epoch and the number of each slice alone."""
        drawn = torch.from_numpy(uniform(AUGMENTATION, seed, epoch, indices, 5)).float()
        either = drawn * 2.0 - 1.0
        return Changes(
            flip=drawn[:, 0] < self.flip,
            radians=either[:, 1] * float(np.deg2rad(self.rotate_degrees)),
            scale=1.0 + either[:, 2] * self.scale,
            shift=either[:, 3:5] * self.translate,
            tallness=torch.tensor(tallness or [1.0] * len(indices)),
        )

    def __call__(
        self,
        source: Tensor,
        target: Tensor,
        weight: Tensor,
        *,
        seed: int,
        epoch: int,
        indices: Sequence[int],
        tallness: Sequence[float] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The slices of a batch, changed; tensors (B, C, H, W) on any device.

        Args:
            source: In [-1, 1].
            target: In [-1, 1].
            weight: One channel.
            seed: `training.seed`.
            epoch: Counted as the loader counts.
            indices: Number of each slice in the cohort.
            tallness: Height of each slice's pixels divided by their width; None: they are square.
        """
        if not (self.flip or self.moves):
            return source, target, weight
        changes = self.draw(seed=seed, epoch=epoch, indices=indices, tallness=tallness)
        return change(source, target, weight, changes, move=self.moves)


def change(
    source: Tensor, target: Tensor, weight: Tensor, changes: Changes, *, move: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Flip and move slices.

    What comes in from outside the slice is the low end of the map in source and target, and has no weight.

    Args:
        source: Shape (B, C, H, W).
        target: Shape (B, C, H, W).
        weight: Shape (B, 1, H, W); the nearest pixel's weight counts.
        changes: Drawn for this batch.
        move: Whether to resample; flips alone are exact.
    """
    if not move:
        flipped = source.clone(), target.clone(), weight.clone()
        for row in changes.flip.nonzero().flatten().tolist():
            for part in flipped:
                part[row] = part[row].flip(-1)
        return flipped
    grid = _sampling_grid(changes, (source.shape[-2], source.shape[-1])).to(source.device)
    images = torch.cat([source, target], dim=1).sub_(LOW)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False).add_(LOW)
    heavy = functional.grid_sample(weight, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return moved[:, : source.shape[1]], moved[:, source.shape[1] :], heavy


def _sampling_grid(changes: Changes, size: tuple[int, int]) -> Tensor:
    """Where each new pixel is read, (B, H, W, 2): turned about the middle, in mm."""
    height, width = size
    cosine, sine = torch.cos(changes.radians) / changes.scale, torch.sin(changes.radians) / changes.scale
    down, right = changes.shift[:, 0] * 2.0, changes.shift[:, 1] * 2.0  # the slice is 2 wide in these coordinates
    aspect = height / width * changes.tallness
    across = torch.stack([cosine, sine * aspect, -(cosine * right + sine * aspect * down)], dim=1)
    along = torch.stack([-sine / aspect, cosine, -(cosine * down - sine / aspect * right)], dim=1)
    mirrored = torch.where(changes.flip, -1.0, 1.0)[:, None]
    matrix = torch.stack([across * mirrored, along], dim=1)
    return functional.affine_grid(matrix, [len(matrix), 1, height, width], align_corners=False)
