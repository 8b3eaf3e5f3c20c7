"""How fast and how large scoring is: a pair of 512 x 512 x 150 voxels with 104 labels, whole processes, one run.

    python -m benchmarks.evaluation [--repeats 3] [--clock wall] [--threads 0] [--keep]

Against a script with one float64 SSIM map of scikit-image, and against the definition of SynthRAD2023 called once for
each label: timed for one label at full size and multiplied by 104, and for all of them on a smaller pair, where the
largest differences of the scores are given too. It needs about 6 GB of memory and 5 minutes.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.processes import apart, whole
from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import Options, Spread

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
VERB = """
import sys, tempfile
if sys.argv[2] == "plain":
    sys.modules["numba"] = None
from medp2p.cli import main
folder, _, protocol = sys.argv[1:]
with tempfile.TemporaryDirectory() as scores:
    roles = [word for role, name in zip("prmb", "prlb") for word in (f"-{role}", f"{folder}/{name}.nii.gz")]
    sys.argv = ["medp2p", "evaluate", *roles, "--protocol", protocol, "-q", "-o", scores]
    code = main()
sys.exit(code)
"""
LOOP = """
import json, sys, time
import nibabel as nib
import numpy as np
from skimage.metrics import structural_similarity
p, r, l, b = (np.asanyarray(nib.load(f"{sys.argv[1]}/{n}.nii.gz").dataobj).astype(np.float64) for n in "prlb")
start, scores = time.process_time(), []
for label in range(1, 1 + int(sys.argv[2])):
    mask = (l == label) & (b > 0)
    g, q = (np.where(mask, np.clip(a, -1024, 3000), -1024) + 1024 for a in (r, p))
    mae = np.abs(r - p)[mask].mean()
    psnr = 10 * np.log10(4024**2 / ((g - q)[mask] ** 2).mean())
    _, ssim = structural_similarity(g, q, data_range=4024, full=True)
    crop = (slice(3, -3),) * 3
    scores.append((mae, psnr, ssim[crop][mask[crop]].mean()))
print(json.dumps([time.process_time() - start, scores]))
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


def write_pairs(folder):
    """A pair of full size and a small one, as files."""
    import nibabel as nib

    for name, shape in (("big", SHAPE), ("small", SMALL)):
        (Path(folder) / name).mkdir()
        for key, voxels in make_pair(shape).items():
            nib.save(nib.Nifti1Image(np.asfortranarray(voxels), AFFINE), f"{folder}/{name}/{key}.nii.gz")


def measured(code, *words, options):
    """As `whole`, of a process that runs some code."""
    return whole(["-c", code, *map(str, words)], options)


def main():
    parser = parser_of(__doc__)
    given, options = Options.parsed(parser)
    with tempfile.TemporaryDirectory() as folder:
        apart(write_pairs, folder)
        big, small = f"{folder}/big", f"{folder}/small"
        arms = {"scikit-image, one map": (PEER, big)}
        for kind in ("plain", "fast"):
            for body in ("given", "found"):
                arms[f"synthrad2023, {kind}, body {body}"] = (OURS, big, kind, "synthrad2023", body, LABELS)
            arms[f"synthrad2023, {kind}, 4 labels"] = (OURS, big, kind, "synthrad2023", "given", 4)
            arms[f"synthrad2025, {kind}, body given"] = (OURS, big, kind, "synthrad2025", "given", LABELS)
            arms[f"synthrad2023, {kind}, the verb"] = (VERB, big, kind, "synthrad2023")
        # numba compiles here, once for a machine
        measured(OURS, big, "fast", "synthrad2025", "given", LABELS, options=options)
        runs = {name: [] for name in arms}
        for _ in range(options.repeats):
            for name, arm in arms.items():
                runs[name].append(measured(*arm, options=options)[:2])
        one = json.loads(measured(LOOP, big, 1, options=options)[2])[0] * LABELS
        seconds, theirs = json.loads(measured(LOOP, small, LABELS, options=options)[2])
        mae, psnr, ssim = largest_differences(small, theirs)
    small_scaled = seconds * np.prod(SHAPE) / np.prod(SMALL)
    taken = {name: Spread([each[0] for each in found]) for name, found in runs.items()}
    memory = {name: max(each[1] for each in found) for name, found in runs.items()}
    peer = next(iter(arms))
    rows = []
    for name, each in taken.items():
        of_peer, of_loop = ("1", "") if name == peer else (str(taken[peer] / each), f"{one / each.median:.0f}")
        rows.append([name, str(each), of_peer, of_loop, f"{memory[name]:.0f}", f"{memory[name] / memory[peer]:.2f}"])
    columns = ["", "s", "× one map", "× label by label", "peak MB", "share of the first's"]
    note = (
        f"{options.in_words()}; whole processes: imports, three or four .nii.gz, all scores, from Python, or by the "
        f"verb with report and pictures; without numba (plain), and with what numba compiled in an earlier "
        f"process (fast). The challenge's definition, label by label: {one:.0f} s of the processor (one label at full "
        f"size, times {LABELS}), {small_scaled:.0f} s (all labels of {SMALL}, scaled by voxels). Largest differences "
        f"from it there: MAE {mae:.1e} HU, PSNR {psnr:.1e} dB, SSIM {ssim:.1e}."
    )
    show("evaluation", [Table("512 x 512 x 150 voxels, 104 labels", columns, rows, note)], keep=given.keep)


if __name__ == "__main__":
    main()
