"""Small pairs of scans written to disk, sound unless asked otherwise."""

import numpy as np

from medp2p.io import write_volume
from medp2p.volume import Volume

SHAPE = (28, 28, 8)
AFFINE = np.diag([8.0, 8.0, 8.0, 1.0])
AFFINE[:3, 3] = [-100.0, -110.0, -30.0]


def head(seed=0):
    """MR and CT of a ball with a shell of bone, no two alike."""
    values = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in SHAPE], indexing="ij")
    distance = np.sqrt(x**2 + y**2 + (z / 2) ** 2)
    ct = np.select([distance < 8, distance < 10], [40, 900], -1000) + values.integers(-9, 9, SHAPE)
    mr = np.select([distance < 8, distance < 10], [500, 150], 0) + values.integers(0, 9, SHAPE)
    return {"mr": mr.astype(np.int16), "ct": ct.astype(np.int16)}


def labels_of(ct):
    return np.select([ct > 300, ct > -500], [2, 1], 0).astype(np.uint8)


def write_case(folder, *, affines=None, **arrays):
    """Files `<name>.nii.gz` of one case, on one grid unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        write_volume(Volume(array, (affines or {}).get(name, AFFINE)), folder / f"{name}.nii.gz", overwrite=True)
    return folder


def write_cohort(folder, *names, masks=False):
    for seed, name in enumerate(names):
        scans = head(seed)
        more = {"regions": labels_of(scans["ct"]), "body": (scans["ct"] > -500).astype(np.uint8)} if masks else {}
        write_case(folder / name, **scans, **more)
    return folder
