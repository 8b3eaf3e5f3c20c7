"""Random numbers of training that depend on seed, epoch and slice alone: not on workers, nor on what came before."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ORDER, CROP, AUGMENTATION = 1, 2, 3
"""What is drawn for: each has numbers of its own."""


def uniform(purpose: int, seed: int, epoch: int, indices: Sequence[int], count: int) -> NDArray[np.float64]:
    """Numbers from 0 to below 1, the same for the same arguments on every machine.

    Args:
        purpose: `CROP` or `AUGMENTATION`.
        seed: `training.seed`.
        epoch: From 0.
        indices: Numbers of the slices.
        count: Numbers for each slice.

    Returns:
        Shape (slices, count).

    Source:
        Philox, a generator that computes the n-th number from a key and n: Salmon et al., SC 2011.

    Examples:
        >>> both, second = uniform(CROP, 0, 3, [8, 9], 2), uniform(CROP, 0, 3, [9], 2)
        >>> both[1].tolist() == second[0].tolist()
        True
    """
    drawn = np.empty((len(indices), count))
    for row, index in enumerate(indices):
        bits = np.random.Philox(counter=[0, index, epoch, purpose], key=[seed, 0]).random_raw(count)
        drawn[row] = (bits >> np.uint64(11)) * 2.0**-53
    return drawn


def order(seed: int, epoch: int, count: int) -> NDArray[np.intp]:
    """The order in which an epoch goes through its slices: every number from 0 to below `count` once.

    Examples:
        >>> sorted(order(0, 0, 5).tolist())
        [0, 1, 2, 3, 4]
    """
    bits = np.random.Philox(counter=[0, 0, epoch, ORDER], key=[seed, 0]).random_raw(count)
    return np.argsort(bits, kind="stable")
