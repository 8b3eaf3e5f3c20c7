"""How fast and how large scoring is: a pair of 512 x 512 x 150 voxels with 104 labels, whole processes, one run.

    .venv/bin/python benchmarks/evaluation.py [--repeats 3]

Against a script with one float64 SSIM map of scikit-image, and against the definition of SynthRAD2023 called once
for each label (timed on a smaller pair and extrapolated by voxels, which is said). It needs about 6 GB of memory
and 5 minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SHAPE, LABELS, SMALL = (512, 512, 150), 104, (128, 128, 38)
AFFINE = np.diag([0.9, 0.9, 2.5, 1.0])


def make_pair(shape, seed=0):
    """A body of noise in air, 104 ellipsoids in it, and a noisy prediction; int16, in the order that files have."""
    rng = np.random.default_rng(seed)
    x, y, z = (np.linspace(-1, 1, n).reshape([-1 if i == a else 1 for i in range(3)]) for a, n in enumerate(shape))
    body = (x / 0.75) ** 2 + (y / 0.55) ** 2 + 0 * z < 1
    reference = np.where(body, rng.normal(20, 60, shape), -1000).astype(np.int16)
    labels = np.zeros(shape, np.uint8)
    for label in range(1, LABELS + 1):
        centre, radius = rng.uniform([-0.6, -0.4, -0.9], [0.6, 0.4, 0.9]), rng.uniform(0.06, 0.15, 3)
        where = [np.flatnonzero(np.abs(a.ravel() - c) < r) for a, c, r in zip((x, y, z), centre, radius, strict=True)]
        box = np.ix_(*where)
        near = sum(((a.ravel()[w] - c) / r).reshape([-1 if i == k else 1 for i in range(3)]) ** 2
                   for k, (a, w, c, r) in enumerate(zip((x, y, z), where, centre, radius, strict=True)))  # fmt: skip
        labels[box] = np.where(near < 1, label, labels[box])
    predicted = (reference + rng.normal(0, 30, shape)).astype(np.int16)
    return {"p": predicted, "r": reference, "l": labels}


PEER = """
import sys
import nibabel as nib
import numpy as np
from skimage.metrics import structural_similarity
p, r, l = (np.asanyarray(nib.load(f"{sys.argv[1]}/{n}.nii.gz").dataobj) for n in "prl")
p, r = p.astype(np.float64), r.astype(np.float64)
_, ssim = structural_similarity(p, r, data_range=4095, full=True)
count = np.bincount(l.ravel())
for values in (ssim, np.abs(p - r), (p - r) ** 2):
    np.bincount(l.ravel(), values.ravel()) / count
"""
OURS = """
import sys
if sys.argv[2] == "plain":
    sys.modules["numba"] = None
from medp2p.evaluation import evaluate
from medp2p.io import read_volume
from medp2p.regions import Regions
p, r, l = (read_volume(f"{sys.argv[1]}/{n}.nii.gz") for n in "prl")
regions = Regions(l.voxels, l.affine, {k: f"region {k}" for k in range(1, 105)})
evaluate(p, r, regions, protocol=sys.argv[3])
"""
LOOP = """
import json, sys, time
import nibabel as nib
import numpy as np
from skimage.metrics import structural_similarity
p, r, l = (np.asanyarray(nib.load(f"{sys.argv[1]}/{n}.nii.gz").dataobj).astype(np.float64) for n in "prl")
start = time.perf_counter()
for label in range(1, 105):
    mask = l == label
    g, q = (np.where(mask, np.clip(a, -1024, 3000), -1024) + 1024 for a in (r, p))
    np.abs(r - p)[mask].mean()
    ((g - q)[mask] ** 2).mean()
    _, ssim = structural_similarity(g, q, data_range=4024, full=True)
    crop = (slice(3, -3),) * 3
    ssim[crop][mask[crop]].mean()
print(json.dumps(time.perf_counter() - start))
"""


def measured(code, *words):
    """Seconds by the wall, seconds of the processor, and MB at most, of a whole Python process; and what it printed."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, code
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3, out


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3)
    repeats = options.parse_args().repeats
    import nibabel as nib

    with tempfile.TemporaryDirectory() as folder:
        for name, shape in (("big", SHAPE), ("small", SMALL)):
            (Path(folder) / name).mkdir()
            for key, voxels in make_pair(shape).items():
                nib.save(nib.Nifti1Image(np.asfortranarray(voxels), AFFINE), f"{folder}/{name}/{key}.nii.gz")
        arms = {"scikit-image, one map": (PEER, f"{folder}/big")}
        for protocol in ("synthrad2023", "synthrad2025"):
            arms |= {
                f"medp2p {protocol}, {kind}": (OURS, f"{folder}/big", kind, protocol) for kind in ("plain", "fast")
            }
        measured(OURS, f"{folder}/small", "fast", "synthrad2025")
        measured(OURS, f"{folder}/big", "fast", "synthrad2025")  # numba compiles here, once for a machine
        runs = {name: [measured(*arm)[:3] for _ in range(repeats)] for name, arm in arms.items()}
        loop = json.loads(measured(LOOP, f"{folder}/small")[3]) * np.prod(SHAPE) / np.prod(SMALL)
    best = {name: np.min(found, axis=0) for name, found in runs.items()}
    peer = best["scikit-image, one map"]
    print(f"{'':34}{'wall s':>8}{'cpu s':>8}{'MB':>8}{'faster':>9}{'memory':>9}")
    for name, (wall, cpu, size) in best.items():
        print(f"{name:34}{wall:8.2f}{cpu:8.2f}{size:8.0f}{peer[0] / wall:8.1f}x{size / peer[2]:9.2f}")
    plain = best["medp2p synthrad2023, plain"][0]
    print(
        f"the challenge's definition, label by label: {loop:.0f} s, extrapolated from {SMALL}: {loop / plain:.0f} times"
    )


if __name__ == "__main__":
    main()
