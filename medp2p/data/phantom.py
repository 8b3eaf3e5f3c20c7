"""A cohort of synthetic heads, MR and CT from one map of tissues: to try medp2p without a patient, and to test it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medp2p.data.phantom_anatomy import tissues
from medp2p.data.phantom_patient import Patient
from medp2p.data.phantom_pictures import write_facades
from medp2p.data.phantom_scanner import REGIONS, region_labels, scan_ct, scan_mr
from medp2p.data.phantom_shapes import Points
from medp2p.errors import ConfigError, OutputExistsError
from medp2p.io import write_volume
from medp2p.io.atomic import write_text
from medp2p.io.machine import as_file_error
from medp2p.regions import Regions
from medp2p.volume import Header, Volume

Progress = Callable[[int, int, str], None]

SHAPE = (128, 144, 72)
"""Voxels of a head, (X, Y, Z)."""
FIELD_OF_VIEW_MM = (204.8, 230.4, 172.8)
"""Held for every shape: fewer voxels are larger ones."""
MIDDLE_MM = (0.0, 9.0, -7.0)
"""Middle of the field of view, from the middle of the skull, RAS+."""
LABEL_TABLE = "labels.yaml"
KINDS = ("head", "pictures")


@dataclass(frozen=True)
class PhantomHead:
    """One synthetic patient; all four on one grid."""

    mr: Volume
    """T1-weighted, arbitrary units of a scanner of its own."""
    ct: Volume
    """HU."""
    regions: Regions
    """Labels of `REGIONS`."""
    body: Volume
    """1 inside the head with all its cavities, 0 outside."""

    def volumes(self) -> dict[str, Volume]:
        """What is written, by the name of its file."""
        labels = self.ct.with_voxels(self.regions.labels.astype(np.uint8))
        return {"mr": self.mr, "ct": self.ct, "regions": labels, "body": self.body}


def phantom_head(
    seed: int | tuple[int, ...], *, shape: tuple[int, int, int] = SHAPE, awkward: bool = False
) -> PhantomHead:
    """A synthetic head; the same seed gives the same voxels.

    Left and right differ in every head: the lesion and the larger ventricle lie in the left hemisphere, the fluid
    stands in the right maxillary sinus.

    Args:
        seed: Not negative, or several such numbers.
        shape: Voxels along the patient's right-left, back-front and foot-head axis; the field of view stays.
        awkward: On an oblique grid with its axes flipped, permuted and of unlike spacing, other for each seed.

    Returns:
        MR, CT, regions and body.

    Examples:
        >>> head = phantom_head(0, shape=(32, 36, 18))
        >>> head.mr.same_grid(head.ct), head.ct.orientation, head.regions.region_names
        (True, 'RAS', ('brain', 'bone', 'air', 'soft_tissue', 'lesion'))
    """
    streams = [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(4)]
    patient, pose, (size, affine, header) = (
        Patient.draw(streams[0]),
        _pose(streams[1]),
        _grid(shape, awkward, streams[1]),
    )
    points = _points(size, np.linalg.inv(pose) @ affine)
    tissue = tissues(points, patient)
    grid = Volume(tissue, affine, header=header)
    return PhantomHead(
        mr=grid.with_voxels(scan_mr(tissue, points, patient, streams[2])),
        ct=grid.with_voxels(scan_ct(tissue, points, patient, streams[3])),
        regions=Regions(region_labels(tissue), affine, REGIONS),
        body=grid.with_voxels((tissue > 0).astype(np.uint8)),
    )


def write_phantoms(
    folder: str | PathLike[str],
    *,
    cases: int = 8,
    seed: int = 0,
    awkward: bool = False,
    kind: str = "head",
    shape: tuple[int, int, int] = SHAPE,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Writes a cohort to train on: of heads `configs/mr2ct.yaml` does as it stands.

    Args:
        folder: Gets `<case>/{mr,ct,regions,body}.nii.gz` and `labels.yaml`, or what `write_facades` writes; made where
            it is missing.
        cases: How many; the first ones are the same however many there are.
        seed: Decides every voxel; not negative.
        awkward: See `phantom_head`.
        kind: What to draw, one of `KINDS`: heads, or façades for `configs/facades.yaml`.
        shape: See `phantom_head`.
        overwrite: Write into a folder that is not empty; only files of these names are replaced.
        progress: Called with how many cases are done, how many there are, and the case.

    Returns:
        The folders of the cases; of façades, their pictures.

    Raises:
        ConfigError: A number is out of range, or the kind is unknown.
        OutputExistsError: The folder is not empty, and `overwrite` was not asked for.
        FileError: A folder or file cannot be made.
    """
    target = Path(folder)
    _check(cases, seed, kind, awkward)
    if not overwrite and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputExistsError(
            folder, "exists and is not an empty folder", fix="name another folder, or add --overwrite"
        )
    with as_file_error(target, doing="made"):
        target.mkdir(parents=True, exist_ok=True)
    if kind == "pictures":
        return write_facades(folder, cases=cases, seed=seed, overwrite=overwrite, progress=progress)
    written = []
    for number in range(1, cases + 1):
        head = phantom_head((seed, number - 1), shape=shape, awkward=awkward)
        case = target / f"head_{number:03d}"
        with as_file_error(case, doing="made"):
            case.mkdir(exist_ok=True)
        for name, volume in head.volumes().items():
            write_volume(volume, case / f"{name}.nii.gz", overwrite=overwrite)
        written.append(case)
        if progress:
            progress(number, cases, case.name)
    table = "".join(f"{label}: {name}\n" for label, name in REGIONS.items())
    write_text(target / LABEL_TABLE, table, overwrite=overwrite)
    return written


def _check(cases: int, seed: int, kind: str, awkward: bool) -> None:
    if cases < 1:
        raise ConfigError(None, "no case to make", found=cases, expected="1 or more", fix="ask for one", key="--cases")
    if seed < 0:
        raise ConfigError(None, "a negative seed", found=seed, expected="0 or more", fix="leave the sign", key="--seed")
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise ConfigError(None, "unknown kind", found=kind, expected=known, fix="name one of these", key="--kind")
    if awkward and kind != "head":
        raise ConfigError(None, "only heads lie on awkward grids", found=kind, fix="leave it out", key="--awkward")


def _points(shape: tuple[int, ...], affine: NDArray[np.float64]) -> Points:
    """Where the voxels of a grid lie, each of shape (X, Y, Z)."""
    i, j, k = (np.arange(n, dtype=np.float32).reshape(-1, *(1,) * (2 - axis)) for axis, n in enumerate(shape))
    x, y, z = (
        np.broadcast_to(row[0] * i + row[1] * j + row[2] * k + row[3], shape) for row in affine[:3].astype(np.float32)
    )
    return Points(x, y, z)


def _pose(rng: np.random.Generator) -> NDArray[np.float64]:
    """How the patient's head lies in the scanner: nearly straight."""
    pitch, roll, yaw = np.deg2rad(rng.normal(0, (2.5, 1.5, 2.0)))
    pose = np.eye(4)
    pose[:3, :3] = _rotation(pitch, roll, yaw)
    pose[:3, 3] = rng.normal(0, (1.5, 2.0, 2.0))
    return pose


def _grid(
    shape: tuple[int, int, int], awkward: bool, rng: np.random.Generator
) -> tuple[tuple[int, ...], NDArray[np.float64], Header | None]:
    """Shape, affine and header: RAS with square voxels, or whatever scanners and converters make of it."""
    size, turn = np.array(shape), np.eye(3)
    order, signs = np.arange(3), np.ones(3)
    if awkward:
        size = np.maximum(4, np.round(size * rng.permutation([1.1, 0.8, 0.45])).astype(int))
        turn = _rotation(*np.deg2rad(rng.uniform(8, 18, 3) * rng.choice([-1, 1], 3)))
        order, signs = rng.permutation(3), rng.choice([-1.0, 1.0], 3)
    axes = turn * (np.array(FIELD_OF_VIEW_MM) / size) * signs
    affine = np.eye(4)
    affine[:3, :3] = axes[:, order]
    affine[:3, 3] = np.array(MIDDLE_MM) - axes @ ((size - 1) / 2)
    if not awkward:
        return tuple(size.tolist()), affine, None
    sform_code, qform_code = rng.choice([(1, 1), (2, 1), (1, 0), (0, 1)])
    header = Header(
        sform=affine if sform_code else None,
        sform_code=int(sform_code),
        qform=affine if qform_code else None,
        qform_code=int(qform_code),
    )
    return tuple(size[order].tolist()), affine, header


def _rotation(pitch: float, roll: float, yaw: float) -> NDArray[np.float64]:
    """Turns about x, then y, then z, in radians."""
    (a, b, c), (s, t, u) = np.cos([pitch, roll, yaw]), np.sin([pitch, roll, yaw])
    about_x = np.array([[1, 0, 0], [0, a, -s], [0, s, a]])
    about_y = np.array([[b, 0, t], [0, 1, 0], [-t, 0, b]])
    about_z = np.array([[c, -u, 0], [u, c, 0], [0, 0, 1]])
    turn: NDArray[np.float64] = about_z @ about_y @ about_x
    return turn
