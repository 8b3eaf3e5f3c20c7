"""Pairs of RGB pictures on their way to the networks: the prepared store against a loader of PNGs as the reference's.

    python -m benchmarks.picture_source [--pairs 48] [--repeats 3] [--clock wall] [--threads 1] [--keep]

Each pair is 286 x 286 pixels when it is cut, 256 x 256 afterwards, flipped at random. The PNG loader does what the
reference does for every picture that it loads: opens `A|B`, halves it, resizes both by Pillow's bicubic, cuts, flips,
and maps to [-1, 1]. Both work without helpers, warm page cache.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import Options, Work, take_turns
from medp2p.config import config_from_mapping
from medp2p.data.augmentation import Augmentation
from medp2p.data.cohort import prepare_cohort
from medp2p.data.phantom_pictures import write_facades
from medp2p.data.picture_cases import with_seen_pictures
from medp2p.data.slices import SliceLoader
from medp2p.networks.memory import hold_freed_memory

LOAD, CROP, BATCH = 286, 256, 16


class PngPairs(torch.utils.data.Dataset):
    """The reference's aligned data set, step by step."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.png"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        both = Image.open(self.paths[number]).convert("RGB")
        width, height = both.size
        left, top = np.random.randint(0, LOAD - CROP + 1, 2)
        flip = np.random.random() < 0.5

        def changed(half: Image.Image) -> torch.Tensor:
            cut = half.resize((LOAD, LOAD), Image.Resampling.BICUBIC).crop((left, top, left + CROP, top + CROP))
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else cut
            pixels = torch.from_numpy(np.array(cut)).permute(2, 0, 1).contiguous().float().div(255)
            return (pixels - 0.5) / 0.5

        photo, drawing = both.crop((0, 0, width // 2, height)), both.crop((width // 2, 0, width, height))
        return changed(drawing), changed(photo)


def png_epoch(folder: Path) -> Work:
    pairs = torch.utils.data.DataLoader(PngPairs(folder / "train"), batch_size=BATCH, shuffle=True)
    return lambda: [None for _ in pairs]


def store_epoch(folder: Path, store: Path) -> Work:
    hold_freed_memory()  # as a training does
    data = {
        "kind": "pictures", "sources": "label", "target": "photo", "folder": str(folder),
        "side_by_side": ["photo", "label"],
    }  # fmt: skip
    preparation = {"resize": [LOAD, LOAD], "size": [CROP, CROP]}
    config = with_seen_pictures(config_from_mapping({"data": data, "preparation": preparation}))
    loader = SliceLoader(
        prepare_cohort(config, store=store).entries(), sources=3, size=(CROP, CROP), batch_size=BATCH, seed=0,
        augmentation=Augmentation(flip=0.5), ahead=0,
    )  # fmt: skip
    epochs = iter(range(1_000_000))
    return lambda: [None for _ in loader.batches(next(epochs))]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--pairs", type=int, default=48)
    given, options = Options.parsed(parser)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_facades(folder / "pairs", cases=given.pairs)
        count = len(PngPairs(folder / "pairs" / "train"))
        arms = {
            "PNG files, as the reference loads them": partial(png_epoch, folder / "pairs"),
            "medp2p's store": partial(store_epoch, folder / "pairs", folder / "store"),
        }
        measured = take_turns(arms, options)
    (png_name, store_name), (png, store) = measured.keys(), (each.rate(count) for each in measured.values())
    rows = [[png_name, str(png), str(store / png)], [store_name, str(store), "1"]]
    note = f"{options.in_words()}. {count} pairs in RGB, resized to 286 x 286, cut to 256 x 256 and flipped at random."
    table = Table("Pairs of pictures for training", ["", "pairs/s", "medp2p is faster by"], rows, note)
    show("picture_source", [table], keep=given.keep)


if __name__ == "__main__":
    main()
