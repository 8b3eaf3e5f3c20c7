"""Where training slices come from: the prepared store against MONAI's CacheDataset, and preparation against its chain.

    python -m benchmarks.slice_source [--pairs 4] [--shape 256 256 160] [--repeats 3] [--clock wall] [--keep]

Pairs of int16 volumes of 1.25 mm are brought to 1 mm in plane and cut to 256 x 256. One process, warm page cache,
everything interleaved in one run.
"""

import tempfile
import warnings
from functools import partial
from pathlib import Path

from benchmarks.pairs import SPACING_MM, add_pairs, configuration, write_pairs
from benchmarks.processes import anonymous_mb
from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import Options, in_turns
from medp2p.data.cases import find_cases
from medp2p.data.cohort import prepare_cohort
from medp2p.data.loading import load_case
from medp2p.data.slices import SliceLoader
from medp2p.data.transforms import prepare

SIZE = (256, 256)


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


def preparation(folder: Path, options: Options) -> Table:
    """Seconds from two files to prepared planes of one pair."""
    from monai.transforms import Compose

    config = configuration(folder, mask=False)
    case = find_cases(config)[0]
    files = {name: str(path) for name, path in case.files.items()}
    theirs = Compose(monai_chain(("mr", "ct")))
    arms = (lambda: prepare(load_case(case, config), config), lambda: theirs(files))
    ours, monai = in_turns([partial(options.took, arm) for arm in arms], options.repeats)
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
        return rounds * len(files) / options.took(lambda: [None for _ in range(rounds) for _ in batches])

    epochs = iter(range(options.repeats))

    def our_rate() -> float:
        epoch = next(epochs)
        return len(loader) / options.took(lambda: [None for _ in loader.batches(epoch)])

    arms = (our_rate, partial(monai_rate, True, 2), partial(monai_rate, False, 20))
    ours, copying, sharing = in_turns(arms, options.repeats)
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
    add_pairs(parser)
    given, options = Options.parsed(parser)
    options.limit_threads()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        scans = Path(folder) / "scans"
        scans.mkdir()
        write_pairs(scans, given.pairs, tuple(given.shape))
        tables = [preparation(scans, options), sources(scans, Path(folder) / "store", options)]
    show("slice_source", tables, keep=given.keep)


if __name__ == "__main__":
    main()
