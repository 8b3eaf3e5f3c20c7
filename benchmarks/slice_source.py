"""Where training slices come from: the prepared store against MONAI's CacheDataset, and preparation against its chain.

    python -m benchmarks.slice_source [--pairs 4] [--shape 256 256 160] [--repeats 3] [--clock wall] [--keep]

Pairs of int16 volumes of 1.25 mm are brought to 1 mm in plane and cut to 256 x 256. One process, warm page cache,
everything interleaved in one run.
"""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import CLOCKS, Options, Spread
from medp2p.config import Config, config_from_mapping
from medp2p.data.cases import find_cases
from medp2p.data.cohort import prepare_cohort
from medp2p.data.loading import load_case
from medp2p.data.slices import SliceLoader
from medp2p.data.transforms import prepare
from medp2p.io import write_volume
from medp2p.volume import Volume

SIZE = (256, 256)
SPACING_MM = 1.25


def write_pairs(folder: Path, pairs: int, shape: tuple[int, int, int]) -> None:
    """Balls with a shell of bone, as MR and CT, noise on both."""
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij", sparse=True)
    distance = np.sqrt(x**2 + y**2 + z**2)
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    for number in range(pairs):
        values = np.random.default_rng(number)
        for name, levels, noise in (("mr", (500, 150, 0), (0, 20)), ("ct", (40, 900, -1000), (-20, 20))):
            clean = np.select([distance < 0.7, distance < 0.8], levels[:2], levels[2])
            (folder / f"S{number}").mkdir(exist_ok=True)
            scan = Volume((clean + values.integers(*noise, shape)).astype(np.int16), affine)
            write_volume(scan, folder / f"S{number}" / f"{name}.nii.gz")


def configuration(folder: Path, *, mask: bool) -> Config:
    data = {"sources": "mr", "target": "ct", "folder": str(folder), "split": {"validation": 0, "test": 0}}
    return config_from_mapping({"data": data, "preparation": {"mask_outside_body": mask}})


def monai_chain(keys: tuple[str, str]) -> list[object]:
    """What a user of MONAI writes for the same purpose."""
    from monai.transforms import (
        EnsureChannelFirstd,
        LoadImaged,
        Orientationd,
        ScaleIntensityRanged,
        ScaleIntensityRangePercentilesd,
        Spacingd,
    )

    return [
        LoadImaged(keys),
        EnsureChannelFirstd(keys),
        Orientationd(keys, "RAS", labels=None),
        Spacingd(keys, (1.0, 1.0, SPACING_MM)),
        ScaleIntensityRangePercentilesd("mr", 0.5, 99.5, -1, 1, clip=True),
        ScaleIntensityRanged("ct", -1024, 3071, -1, 1, clip=True),
    ]


def anonymous_mb() -> float:
    """Memory of this process that is no file's, in MB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), float("nan"))


def seconds(work: Callable[[], object], clock: str) -> float:
    began = CLOCKS[clock]()
    work()
    return CLOCKS[clock]() - began


def preparation(folder: Path, options: Options) -> Table:
    """Seconds from two files to prepared planes of one pair."""
    from monai.transforms import Compose

    config = configuration(folder, mask=False)
    case = find_cases(config)[0]
    files = {name: str(path) for name, path in case.files.items()}
    theirs = Compose(monai_chain(("mr", "ct")))
    turns = [
        (
            seconds(lambda: prepare(load_case(case, config), config), options.clock),
            seconds(lambda: theirs(files), options.clock),
        )
        for _ in range(options.repeats)
    ]
    ours, monai = (Spread(list(column)) for column in zip(*turns, strict=True))
    rows = [["MONAI's transforms", str(monai), "1"], ["medp2p", str(ours), str(monai / ours)]]
    return Table("Preparation of a pair, from two files to planes in the store's form", ["", "s", "× MONAI"], rows,
                 f"{options.in_words()}.")  # fmt: skip


def sources(folder: Path, store: Path, options: Options) -> Table:
    """Slices per second of each source, and what it adds to anonymous memory."""
    from monai.data import CacheDataset, DataLoader
    from monai.transforms import Compose, RandSpatialCropd

    before = anonymous_mb()
    entries = prepare_cohort(configuration(folder, mask=True), store=store).entries()
    loader = SliceLoader(entries, sources=1, size=SIZE, batch_size=16, seed=0)
    sum(len(batch.indices) for batch in loader.batches(0))
    store_mb = anonymous_mb() - before

    before = anonymous_mb()
    files = [{name: str(folder / entry.case / f"{name}.nii.gz") for name in ("mr", "ct")} for entry in entries]
    chain = Compose([*monai_chain(("mr", "ct")), RandSpatialCropd(("mr", "ct"), (*SIZE, 1), random_size=False)])
    cached = CacheDataset(files, chain, progress=False)
    cache_mb = anonymous_mb() - before

    def monai_rate(copy_cache: bool, rounds: int) -> float:
        cached.copy_cache = copy_cache
        batches = DataLoader(cached, batch_size=min(4, len(files)), num_workers=0)
        return rounds * len(files) / seconds(lambda: [None for _ in range(rounds) for _ in batches], options.clock)

    turns = [
        (
            len(loader) / seconds(lambda number=number: [None for _ in loader.batches(number)], options.clock),
            monai_rate(True, 2),
            monai_rate(False, 20),
        )
        for number in range(options.repeats)
    ]
    ours, copying, sharing = (Spread(list(column)) for column in zip(*turns, strict=True))
    rows = [
        ["CacheDataset", str(copying), str(ours / copying), f"{cache_mb:.0f}"],
        ["CacheDataset, copy_cache=False", str(sharing), str(ours / sharing), f"{cache_mb:.0f}"],
        ["medp2p's store", str(ours), "1", f"{store_mb:.0f}"],
    ]
    columns = ["", "slices/s", "medp2p is faster by", "anonymous MB more, all pairs"]
    note = f"{options.in_words()}. {len(files)} pairs, batches drawn and cut, one process, warm page cache."
    return Table("Slices for training", columns, rows, note)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--shape", type=int, nargs=3, default=(256, 256, 160))
    Options.add(parser)
    given = parser.parse_args()
    options = Options.of(given)
    if options.threads:
        import torch

        torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        scans = Path(folder) / "scans"
        scans.mkdir()
        write_pairs(scans, given.pairs, tuple(given.shape))
        tables = [preparation(scans, options), sources(scans, Path(folder) / "store", options)]
    show("slice_source", tables, keep=given.keep)


if __name__ == "__main__":
    main()
