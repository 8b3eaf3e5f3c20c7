"""The generator alone, as a translation computes it: every runtime in both precisions against the textbook's.

    python -m benchmarks.network [--batch 8] [--repeats 3] [--clock wall] [--threads 0] [--keep]

The peer is the textbook U-Net as its users run it: fp32, one slice at a time. How far every arm is from torch's plain
fp32 is given in HU of the usual CT window, for a network whose predictions fill it.
"""

import copy
from functools import cache, partial
from typing import TYPE_CHECKING

from benchmarks.step import LIMIT_GFLOP, limits
from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import Measured, Options, Work, take_turns

if TYPE_CHECKING:
    import torch

GFLOP_PER_SLICE = 11.9
HU = 4095 / 2  # of a prediction in [-1, 1]


@cache
def network() -> "torch.nn.Module":
    """A generator whose norms have statistics, and whose predictions fill [-1, 1]."""
    import torch

    from medp2p.networks import build_generator

    generator = build_generator("unet_256", in_channels=1, out_channels=1, seed=1)
    with torch.no_grad():
        for seed in range(3):
            generator(slices(2, seed))
        generator.eval()
        generator.up[0].weight *= 0.7 / torch.atanh(generator(slices(2)).clamp(-0.999, 0.999)).std()
    return generator.requires_grad_(False)


def slices(batch: int, seed: int = 9) -> "torch.Tensor":
    """Smooth ones, in channels_last order."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    coarse = 2 * torch.rand((batch, 1, 16, 16), generator=draw) - 1
    smooth = torch.nn.functional.interpolate(coarse, (256, 256), mode="bicubic").clamp(-1, 1)
    return smooth.contiguous(memory_format=torch.channels_last)


def peer() -> Work:
    """The textbook's, one slice at a time."""
    import torch

    from benchmarks.peer import UNetGenerator, initialise

    textbook = UNetGenerator(1, 1)
    initialise(textbook)
    textbook.eval()
    given = slices(1).contiguous()

    def translate() -> None:
        with torch.no_grad():
            textbook(given)

    return translate


def ours(runtime: str, precision: str, batch: int) -> Work:
    """A runtime of ours, in batches."""
    import torch

    from medp2p.networks.memory import hold_freed_memory
    from medp2p.translation.runtime import compile_network

    hold_freed_memory()
    compute = compile_network(copy.deepcopy(network()), precision, torch.device("cpu"), runtime=runtime)
    given = slices(batch)

    def translate() -> None:
        with torch.inference_mode():
            compute(given)

    return translate


def off_by(runtime: str, precision: str) -> str:
    """Mean and largest difference from torch's plain fp32, in HU."""
    import torch

    from medp2p.translation.runtime import compile_network

    compute = compile_network(copy.deepcopy(network()), precision, torch.device("cpu"), runtime=runtime)
    with torch.inference_mode():
        off = (compute(slices(2)) - network()(slices(2))).abs() * HU
    return f"{off.mean():.2g}, at most {off.max():.2g}"


def row(name: str, amount: int, found: dict[str, Measured], off: str) -> list[str]:
    precision = "bf16" if name.endswith("bf16") else "fp32"
    rate, of_peer = found[name].rate(amount), found["peer"].rate(1)
    limit = (rate * GFLOP_PER_SLICE / found[f"limit {precision}"].rate(LIMIT_GFLOP)).percent()
    return [name, str(rate), "1" if name == "peer" else str(rate / of_peer), limit, off, f"{found[name].peak_mb:.0f}"]


def main() -> None:
    import torch

    from medp2p.translation.runtime import fitting

    parser = parser_of(__doc__)
    parser.add_argument("--batch", type=int, default=8)
    given, options = Options.parsed(parser)
    kinds = {
        f"{runtime} {precision}": (runtime, precision)
        for precision in ("fp32", "bf16")
        for runtime in fitting(network(), torch.device("cpu"), precision)
    }
    arms = {name: partial(ours, *kind, given.batch) for name, kind in kinds.items()}
    found = take_turns({"peer": peer, **arms, **limits()}, options)
    rows = [row("peer", 1, found, "")]
    rows += [row(name, given.batch, found, off_by(*kind)) for name, kind in kinds.items()]
    columns = ["runtime", "slices/s", "× peer", "of the limit", "HU from plain fp32", "peak MB"]
    note = f"{options.in_words()}. Slices of 256 x 256, {given.batch} at once; the peer in fp32, one at a time."
    show("network", [Table("U-Net of eight halvings, 64 channels", columns, rows, note)], keep=given.keep)


if __name__ == "__main__":
    main()
