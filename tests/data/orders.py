"""One scan in all the ways in which a file may store it."""

from itertools import permutations

import numpy as np

from medp2p.volume import Volume


def orders_of(voxels, spacing_mm):
    """The scan in RAS order as 48 volumes, axes permuted and flipped, each voxel at its own place."""
    for axes in permutations(range(3)):
        for flips in np.ndindex(2, 2, 2):
            affine = np.eye(4)
            affine[:3, :3] = np.diag(spacing_mm)[:, axes] * np.where(flips, -1.0, 1.0)
            affine[:3, 3] = [(voxels.shape[a] - 1) * spacing_mm[a] * flips[axes.index(a)] for a in range(3)]
            yield Volume(voxels.transpose(axes)[tuple(slice(None, None, -1 if f else 1) for f in flips)], affine)
