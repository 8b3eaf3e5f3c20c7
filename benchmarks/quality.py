"""Whether medp2p learns as well as the textbook pix2pix in as many epochs, on scans of the reader's own.

    python -m benchmarks.quality FOLDER [--sources t1 t2] [--target flair] [--held-out NAME] [--seeds 0 1 2]
        [--arms textbook batch:16 instance:2] [--epochs 50] [--keep]

FOLDER holds a folder for each case. All but one are learnt from, that one is predicted. All arms get the same slices,
changed at random alike, the same schedule and the same number of epochs: the textbook one slice at a time with batch
norm, as its authors have it; medp2p by norm and batch size, its general default and that of `configs/t2flair.yaml` if
nothing else is asked for. It takes a while, so `make bench` leaves it out.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks import peer
from benchmarks.tables import Table, parser_of, show
from medp2p.config import config_from_mapping
from medp2p.data.augmentation import Augmentation
from medp2p.data.cohort import prepare_cohort
from medp2p.data.slices import SliceLoader
from medp2p.device import resolve_precision
from medp2p.networks import build_discriminator, build_generator
from medp2p.training import Pix2PixUpdate
from medp2p.training.schedule import learning_rate_factor

HEAD_ABOVE = -0.9  # of [-1, 1]: what is darker in the reference is air
CPU = torch.device("cpu")


@dataclass
class Pair:
    """Both networks of an arm.

    Attributes:
        generator: What predicts.
        step: One step with source, target, weight.
        set_rate: Takes the factor of the learning rate.
    """

    generator: nn.Module
    step: Callable[[Tensor, Tensor, Tensor], object]
    set_rate: Callable[[float], None]


def textbook(inputs: int, channels: int, halvings: int, seed: int) -> Pair:
    torch.manual_seed(seed)
    networks = (
        peer.UNetGenerator(inputs, 1, halvings=halvings, channels=channels),
        peer.PatchDiscriminator(inputs + 1, channels=channels),
    )
    for network in networks:
        peer.initialise(network)
    training = peer.Pix2Pix(*networks)

    def set_rate(factor: float) -> None:
        for optimizer in (training.optimizer_g, training.optimizer_d):
            for group in optimizer.param_groups:
                group["lr"] = 2e-4 * factor

    return Pair(networks[0], lambda source, target, _: training.step(source, target), set_rate)


def ours(inputs: int, channels: int, halvings: int, norm: str, seed: int) -> Pair:
    torch.manual_seed(seed)
    kind = {7: "unet_128", 8: "unet_256"}[halvings]
    generator = build_generator(kind, in_channels=inputs, out_channels=1, channels=channels, norm=norm, seed=seed)
    discriminator = build_discriminator("patch", in_channels=inputs + 1, channels=channels, norm=norm, seed=seed)
    update = Pix2PixUpdate(generator, discriminator, precision=resolve_precision("auto", CPU))
    return Pair(generator, update, lambda factor: update.set_learning_rate(2e-4 * factor))


@torch.inference_mode()
def mae(generator: nn.Module, held_out: SliceLoader, *, train_mode: bool) -> float:
    """Mean absolute error inside the head, in percent of the intensity range of the scan."""
    generator.train(train_mode)
    total, voxels = 0.0, 0
    for batch in held_out.batches(0):
        off, head = (generator(batch.source) - batch.target).abs(), batch.target > HEAD_ABOVE
        total, voxels = total + float(off[head].double().sum()), voxels + int(head.sum())
    generator.train()
    return 50 * total / voxels


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("folder")
    parser.add_argument("--sources", nargs="+", default=["t1", "t2"])
    parser.add_argument("--target", default="flair")
    parser.add_argument("--held-out", help="name of a case (default: the last)")
    parser.add_argument("--arms", nargs="+", default=["textbook", "batch:16", "instance:2"], metavar="NORM:BATCH")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=50, help="half of them with a falling learning rate")
    parser.add_argument("--size", type=int, choices=(128, 256), default=256)
    parser.add_argument("--spacing", type=float, default=1.0, help="mm in the plane")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    names = [*given.sources, given.target]
    config = config_from_mapping(
        {
            "data": {"sources": given.sources, "target": given.target, "folder": given.folder,
                     "split": {"validation": 0, "test": 0}},
            "intensity": {name: {"kind": "percentile", "low": 0.5, "high": 99.5} for name in names},
            "preparation": {"spacing_mm": [given.spacing] * 2, "size": [given.size] * 2, "mask_outside_body": False},
            "generator": {"kind": f"unet_{given.size}"},
        }
    )  # fmt: skip
    halvings, inputs = {128: 7, 256: 8}[given.size], len(given.sources)
    arms: list[tuple[int, Callable[[int], Pair], dict[str, bool]]] = []
    for arm in given.arms:
        norm, _, batch = arm.partition(":")
        if norm == "textbook":
            modes = {"textbook, batch norm, 1 slice; predicts in train mode": True, "the same in eval mode": False}
            arms.append((1, partial(textbook, inputs, given.channels, halvings), modes))
        else:
            make = partial(ours, inputs, given.channels, halvings, norm)
            arms.append((int(batch), make, {f"medp2p, {norm} norm, {batch} slices": False}))
    with tempfile.TemporaryDirectory() as store:
        entries = prepare_cohort(config, store=store).entries()
        held = given.held_out or entries[-1].case
        options = {"sources": inputs, "size": (given.size, given.size)}
        learnt = [entry for entry in entries if entry.case != held]
        held_out = SliceLoader([entry for entry in entries if entry.case == held], batch_size=1, seed=0, **options)
        scores: dict[str, list[float]] = {name: [] for _, _, modes in arms for name in modes}
        rates: dict[str, list[float]] = {name: [] for name in scores}
        for seed in given.seeds:
            for batch_size, make, modes in arms:
                changes = Augmentation(flip=0.5, rotate_degrees=5.0, scale=0.05, translate=0.03)
                loader = SliceLoader(learnt, batch_size=batch_size, seed=seed, augmentation=changes, **options)
                pair, constant = make(seed), given.epochs - given.epochs // 2
                began = time.process_time()
                for epoch in range(1, given.epochs + 1):
                    pair.set_rate(learning_rate_factor(epoch, constant, given.epochs // 2))
                    for batch in loader.batches(epoch):
                        pair.step(batch.source, batch.target, batch.weight)
                took = time.process_time() - began
                for name, train_mode in modes.items():
                    scores[name].append(mae(pair.generator, held_out, train_mode=train_mode))
                    rates[name].append(given.epochs * len(loader) / took)
                    print(f"seed {seed}: {name}: {scores[name][-1]:.3f} %, {rates[name][-1]:.2f} slices/s", flush=True)
    rows = [
        [name, *(f"{value:.2f}" for value in values), f"{sum(values) / len(values):.2f}",
         f"{sum(rates[name]) / len(rates[name]):.1f}"]
        for name, values in scores.items()
    ]  # fmt: skip
    note = (
        f"{' + '.join(given.sources)} to {given.target}: {len(loader)} slices of {len(learnt)} cases learnt, {held} "
        f"held out. {given.size} x {given.size} of {given.spacing:g} mm, {given.channels} channels; "
        f"the textbook in fp32, medp2p in {resolve_precision('auto', CPU)}. Mean absolute error inside the "
        "head, in percent of the range of intensities; slices a second of the processor, with other work running."
    )
    columns = ["", *(f"seed {seed}" for seed in given.seeds), "mean", "slices/s"]
    show("quality", [Table(f"Held-out error after {given.epochs} epochs", columns, rows, note)], keep=given.keep)


if __name__ == "__main__":
    main()
