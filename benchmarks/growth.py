"""How time and memory grow: four sizes of each thing that users have more of, and the exponent of a power law.

    python -m benchmarks.growth [--curves NAME …] [--clock wall] [--repeats 3] [--keep | --draw]

Each size is a process of its own with one thread. Time is that of the work alone, memory the anonymous memory of the
process at most while it works (pages of memory-mapped files are the system's to take back, and do not count). An
exponent of 1 is in proportion, 0 does not grow. What was kept is drawn beside the documentation's pages.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.processes import anonymous_mb
from benchmarks.tables import PAGE, Table, kept, parser_of, show
from benchmarks.turns import Options, Spread

PLOT = PAGE.parent / "growth.svg"
Piece = tuple[Callable[[], object], float]
"""Work, and by what its seconds are divided."""


def translate_slices(count: int, folder: Path) -> Piece:
    """A scan of so many slices through a small network, file to file."""
    from medp2p import translate

    scan, made = folder / f"{count}.nii.gz", folder / f"{count}_made.nii.gz"
    write_scan(scan, (256, 256, count))
    model = write_model(folder / f"{count}.safetensors", channels=32)
    return lambda: translate(model, scan, made, overwrite=True, device="cpu"), 1


def evaluate_voxels(count: int, folder: Path) -> Piece:
    """A pair of 256 x 256 x so many voxels with regions as people have them."""
    return scoring((256, 256, count), 104), 1


def evaluate_labels(count: int, folder: Path) -> Piece:
    """A pair of 512 x 512 x 150 voxels with the first so many of 104 regions, whose scores are means of one map."""
    return scoring((512, 512, 150), count, "skimage"), 1


def evaluate_masked_labels(count: int, folder: Path) -> Piece:
    """The same by the challenge's definition: each region is masked and filtered by itself, in its own box."""
    return scoring((512, 512, 150), count, "synthrad2025"), 1


def read_cohort(pairs: int, folder: Path) -> Piece:
    """An epoch of slices of so many pairs, all links to one, by the slice."""
    from medp2p.config import config_from_mapping
    from medp2p.data.cohort import prepare_cohort
    from medp2p.data.slices import SliceLoader

    scans = folder / f"pairs{pairs}"
    for name, seed in (("mr", 0), ("ct", 1)):
        write_scan(folder / f"{name}.nii.gz", (128, 128, 64), seed=seed)
    if not scans.exists():
        for number, name in product(range(pairs), ("mr", "ct")):
            (scans / f"S{number:04}").mkdir(parents=True, exist_ok=True)
            (scans / f"S{number:04}" / f"{name}.nii.gz").symlink_to(folder / f"{name}.nii.gz")
    data = {"sources": "mr", "target": "ct", "folder": str(scans), "split": {"validation": 0, "test": 0}}
    preparation = {"spacing_mm": None, "size": [128, 128], "mask_outside_body": False}
    intensity = {"ct": {"kind": "percentile"}}
    given = {"data": data, "preparation": preparation, "intensity": intensity, "generator": {"kind": "unet_128"}}
    config = config_from_mapping(given)
    entries = prepare_cohort(config, store=folder / "store").entries()
    loader = SliceLoader(entries, sources=1, size=(128, 128), batch_size=16, seed=0)
    return lambda: [None for _ in loader.batches(0)], len(loader)


def train_steps(count: int, folder: Path) -> Piece:
    """So many steps of small networks."""
    import torch

    from medp2p.networks import build_discriminator, build_generator
    from medp2p.training import Pix2PixUpdate

    generator = build_generator("unet_128", in_channels=1, out_channels=1, channels=8)
    update = Pix2PixUpdate(generator, build_discriminator("patch", in_channels=2, channels=8))
    source, target = 2 * torch.rand(2, 4, 1, 128, 128) - 1
    return lambda: [update(source, target, torch.ones(1)) for _ in range(count)], 1


def write_scan(path: Path, shape: tuple[int, int, int], seed: int = 0) -> None:
    from medp2p.io import write_volume
    from medp2p.volume import Volume

    if not path.exists():
        values = np.random.default_rng(seed).integers(0, 900, shape).astype(np.int16)
        write_volume(Volume(values, np.eye(4)), path)


def write_model(path: Path, *, channels: int) -> Path:
    from medp2p.config import config_from_mapping
    from medp2p.networks import build_generator
    from medp2p.translation import model_file
    from medp2p.translation.described import describe

    architecture = {"kind": "unet_128", "channels": channels}
    config = config_from_mapping({"data": {"sources": "mr", "target": "ct", "folder": "."}, "generator": architecture})
    generator = build_generator("unet_128", in_channels=1, out_channels=1, channels=channels)
    model_file.write_model(path, generator.state_dict(), describe(config, limits={}, precision="fp32"))
    return path


def scoring(shape: tuple[int, int, int], labels: int, protocol: str = "synthrad2025") -> Callable[[], object]:
    """All scores of a pair, with so many ellipsoids in a body."""
    from benchmarks.evaluation import make_pair
    from medp2p.evaluation import evaluate
    from medp2p.regions import Regions
    from medp2p.volume import Volume

    pair = make_pair(shape)
    predicted, reference = Volume(pair["p"], np.eye(4)), Volume(pair["r"], np.eye(4))
    numbers = np.where(pair["l"] <= labels, pair["l"], 0).astype(np.uint8)
    regions = Regions(numbers, np.eye(4), {k: f"region {k}" for k in range(1, labels + 1)})
    return lambda: evaluate(predicted, reference, regions, protocol=protocol)


CURVES: dict[str, tuple[Callable[[int, Path], Piece], tuple[int, ...], str, str]] = {
    "slices of a scan": (translate_slices, (32, 64, 128, 256), "1.0 ± 0.10", "≤ 0.15"),
    "voxels of a pair": (evaluate_voxels, (128, 256, 512, 1024), "1.0 ± 0.10", "input arrays"),
    "labels of a pair": (evaluate_labels, (13, 26, 52, 104), "0 ± 0.05", "≤ 0.15"),
    "labels, each masked by itself": (evaluate_masked_labels, (13, 26, 52, 104), "", "≤ 0.15"),
    "pairs of a cohort, by the slice": (read_cohort, (4, 8, 16, 32), "0 ± 0.10", "≤ 0.15"),
    "steps of a training": (train_steps, (4, 8, 16, 32), "1.0 ± 0.10", "≤ 0.15"),
}


def one(curve: str, size: int, folder: Path, options: Options) -> dict[str, float]:
    """Seconds of the work, done once before, and anonymous MB at most while it is done."""
    import torch

    torch.set_num_threads(1)
    work, share = CURVES[curve][0](size, folder)
    with highest_memory() as peak:
        work()
        took = options.took(work)
    return {"seconds": took / share, "mb": peak[0]}


@contextmanager
def highest_memory() -> Iterator[list[float]]:
    """Anonymous memory at most, looked at a hundred times a second."""
    peak, done = [anonymous_mb()], threading.Event()

    def look() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], anonymous_mb())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def exponent(sizes: tuple[int, ...], values: list[float]) -> float:
    """Of the power law nearest to the values, both axes logarithmic."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measured(curve: str, folder: Path, options: Options) -> list[str]:
    """A row: the sizes, what they took, and the exponents with their goals."""
    _, sizes, time_goal, memory_goal = CURVES[curve]
    turns = [[_in_its_own_process(curve, size, folder, options) for size in sizes] for _ in range(options.repeats)]
    seconds = [Spread([turn[k]["seconds"] for turn in turns]).median for k in range(len(sizes))]
    memory = [Spread([turn[k]["mb"] for turn in turns]).median for k in range(len(sizes))]
    exponents = Spread([exponent(sizes, [each["seconds"] for each in turn]) for turn in turns])
    spread = f"{exponent(sizes, seconds):.2f} ({min(exponents.values):.2f}–{max(exponents.values):.2f})"
    return [curve, ", ".join(map(str, sizes)), ", ".join(f"{each:.3g}" for each in seconds), spread, time_goal,
            ", ".join(f"{each:.0f}" for each in memory), f"{exponent(sizes, memory):.2f}", memory_goal]  # fmt: skip


def _in_its_own_process(curve: str, size: int, folder: Path, options: Options) -> dict[str, float]:
    words = ["--one", curve, str(size), str(folder), "--clock", options.clock]
    command = [sys.executable, "-m", "benchmarks.growth", *words]
    found: dict[str, float] = json.loads(subprocess.check_output(command, text=True).splitlines()[-1])
    return found


def draw(rows: list[list[str]]) -> None:
    """Time and memory of every curve, as multiples of what the smallest size took, on logarithmic axes."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 3.8), layout="constrained")
    for axes, what, column in zip(figure.subplots(1, 2), ("time", "anonymous memory"), (2, 5), strict=True):
        axes.plot([1, 8], [1, 8], color="0.8", lw=4, label="in proportion")
        axes.plot([1, 8], [1, 1], color="0.8", lw=4, ls=":", label="does not grow")
        for row, mark in zip(rows, "osdp^v", strict=False):
            sizes, values = ([float(word) for word in row[k].split(", ")] for k in (1, column))
            axes.plot(
                [each / sizes[0] for each in sizes], [each / values[0] for each in values], marker=mark, label=row[0]
            )
        axes.set(xscale="log", yscale="log", xticks=[1, 2, 4, 8], yticks=[0.5, 1, 2, 4, 8], xlabel="size", title=what)
        axes.set(xticklabels=["× 1", "2", "4", "8"], yticklabels=["0.5", "× 1", "2", "4", "8"])
        axes.minorticks_off()
    figure.axes[0].legend(fontsize="x-small", frameon=False)
    with matplotlib.rc_context({"svg.hashsalt": "growth"}):
        figure.savefig(PLOT, metadata={"Date": None})


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--draw", action="store_true", help="only draws what was kept")
    parser.add_argument("--curves", nargs="+", choices=list(CURVES), default=list(CURVES))
    parser.add_argument("--one", nargs=3, metavar=("CURVE", "SIZE", "FOLDER"), help="measures one size, for itself")
    given, options = Options.parsed(parser)
    if given.one:
        curve, size, folder = given.one
        print(json.dumps(one(curve, int(size), Path(folder), options)))
        return
    rows = {row[0]: list(row) for table in kept("growth") for row in table.rows}
    if given.draw:
        draw(list(rows.values()))
        return
    for curve in given.curves:
        with tempfile.TemporaryDirectory() as folder:
            rows[curve] = measured(curve, Path(folder), options)
        print("  ".join(rows[curve]), flush=True)
    columns = ["more", "sizes", "s", "time exponent", "goal", "anonymous MB", "memory exponent", "goal"]
    note = f"1 thread, seconds of the {options.clock}, {options.repeats} turns. Small networks: what grows is the same."
    in_order = [rows[curve] for curve in CURVES if curve in rows]
    show("growth", [Table("Four sizes each", columns, in_order, note)], keep=given.keep)
    if given.keep:
        draw(in_order)


if __name__ == "__main__":
    main()
