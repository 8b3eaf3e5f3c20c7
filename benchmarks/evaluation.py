"""How fast and how large scoring is: a pair of 512 x 512 x 150 voxels with 104 labels, whole processes, one run.

    python -m benchmarks.evaluation [--repeats 3]

Against a script with one float64 SSIM map of scikit-image, and against the definition of SynthRAD2023 called once for
each label: timed for one label at full size and multiplied by 104, and for all of them on a smaller pair, where the
largest differences of the scores are given too. It needs about 6 GB of memory and 5 minutes.
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
    return {"p": predicted, "r": reference, "l": labels, "b": body.astype(np.uint8)}


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
body = read_volume(f"{sys.argv[1]}/b.nii.gz") if sys.argv[4] == "given" else None
names = {k: f"region {k}" if k <= int(sys.argv[5]) else "background" for k in range(1, 105)}
evaluate(p, r, Regions(l.voxels, l.affine, names), body=body, protocol=sys.argv[3])
"""
LOOP = """
import json, sys, time
import nibabel as nib
import numpy as np
from skimage.metrics import structural_similarity
p, r, l, b = (np.asanyarray(nib.load(f"{sys.argv[1]}/{n}.nii.gz").dataobj).astype(np.float64) for n in "prlb")
start, scores = time.perf_counter(), []
for label in range(1, 1 + int(sys.argv[2])):
    mask = (l == label) & (b > 0)
    g, q = (np.where(mask, np.clip(a, -1024, 3000), -1024) + 1024 for a in (r, p))
    mae = np.abs(r - p)[mask].mean()
    psnr = 10 * np.log10(4024**2 / ((g - q)[mask] ** 2).mean())
    _, ssim = structural_similarity(g, q, data_range=4024, full=True)
    crop = (slice(3, -3),) * 3
    scores.append((mae, psnr, ssim[crop][mask[crop]].mean()))
print(json.dumps([time.perf_counter() - start, scores]))
"""


def largest_differences(folder, theirs):
    """Largest difference of MAE, PSNR and SSIM of any label between medp2p and a list of theirs."""
    from medp2p.evaluation import evaluate
    from medp2p.io import read_volume
    from medp2p.regions import Regions

    p, r, labels, body = (read_volume(f"{folder}/{n}.nii.gz") for n in "prlb")
    scores = evaluate(p, r, Regions(labels.voxels, labels.affine), body=body, protocol="synthrad2023")
    ours = np.array([[scores.value("case", str(k), m) for m in ("mae", "psnr", "ssim")] for k in range(1, LABELS + 1)])
    return np.abs(ours - np.array(theirs)).max(axis=0)


def measured(code, *words):
    """Seconds by the wall, seconds of the processor, and MB at most, of a whole Python process; and what it printed."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, code
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3, out


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=3)
    repeats = options.parse_args().repeats
    import nibabel as nib

    with tempfile.TemporaryDirectory() as folder:
        for name, shape in (("big", SHAPE), ("small", SMALL)):
            (Path(folder) / name).mkdir()
            for key, voxels in make_pair(shape).items():
                nib.save(nib.Nifti1Image(np.asfortranarray(voxels), AFFINE), f"{folder}/{name}/{key}.nii.gz")
        big, small = f"{folder}/big", f"{folder}/small"
        arms = {"scikit-image, one map": (PEER, big)}
        for kind in ("plain", "fast"):
            for body in ("given", "found"):
                arms[f"synthrad2023, {kind}, body {body}"] = (OURS, big, kind, "synthrad2023", body, LABELS)
            arms[f"synthrad2023, {kind}, 4 labels"] = (OURS, big, kind, "synthrad2023", "given", 4)
            arms[f"synthrad2025, {kind}, body given"] = (OURS, big, kind, "synthrad2025", "given", LABELS)
        measured(OURS, big, "fast", "synthrad2025", "given", LABELS)  # numba compiles here, once for a machine
        runs = {name: [] for name in arms}
        for _ in range(repeats):
            for name, arm in arms.items():
                runs[name].append(measured(*arm)[:3])
        one = json.loads(measured(LOOP, big, 1)[3])[0] * LABELS
        seconds, theirs = json.loads(measured(LOOP, small, LABELS)[3])
        mae, psnr, ssim = largest_differences(small, theirs)
    best = {name: np.min(found, axis=0) for name, found in runs.items()}
    peer = best["scikit-image, one map"]
    print(f"{'':34}{'wall s':>8}{'cpu s':>8}{'MB':>8}{'faster':>9}{'less cpu':>10}{'memory':>9}")
    for name, (wall, cpu, size) in best.items():
        ratios = f"{peer[0] / wall:8.1f}x{peer[1] / cpu:9.1f}x{size / peer[2]:9.2f}"
        print(f"{name:34}{wall:8.2f}{cpu:8.2f}{size:8.0f}{ratios}")
    small_scaled = seconds * np.prod(SHAPE) / np.prod(SMALL)
    print(f"the challenge's definition, label by label: {one:.0f} s (one label at full size, times {LABELS}), "
          f"{small_scaled:.0f} s (all labels of {SMALL}, scaled by voxels)")  # fmt: skip
    for kind in ("plain", "fast"):
        wall = best[f"synthrad2023, {kind}, body given"][0]
        print(f"  {kind}: {one / wall:.0f} and {small_scaled / wall:.0f} times faster")
    print(f"largest differences on {SMALL}: MAE {mae:.1e} HU, PSNR {psnr:.1e} dB, SSIM {ssim:.1e}")


if __name__ == "__main__":
    main()
