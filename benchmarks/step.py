"""One training step, ours against the textbook pix2pix of `peer.py`, and its share of the machine's limit.

    python -m benchmarks.step [--channels 1 3] [--batches 1 4 16] [--norm batch] [--repeats 3] [--clock wall] [--keep]

Slices of 256 x 256, one channel in and out as of scans, or three as of pictures in RGB; 64 channels, U-Net of eight
halvings and the 70 x 70 discriminator. The limit is a convolution of 128 to 256 channels in channels_last order,
measured in the same turns. bf16 is an arm where the processor has instructions for it: elsewhere nothing takes it.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product

from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import Measured, Options, Work, take_turns

PEER_BY_DEFAULT = "peer at batch 1"
GFLOP_PER_SLICE = {1: 85.60, 3: 86.94}
"""Of one whole step, by channels in and out: forward and backward of generator and discriminator."""
LIMIT_GFLOP = 2 * 16 * 32 * 32 * 256 * 128 * 16 / 1e9


def stepper(arm: str, batch: int, channels: int, norm: str) -> Work:
    """A call that makes one step of a batch of noise."""
    import torch

    torch.manual_seed(0)
    source, target = 2 * torch.rand(2, batch, channels, 256, 256) - 1
    if arm == "peer":
        from benchmarks import peer

        textbook = peer.UNetGenerator(channels, channels, norm=norm), peer.PatchDiscriminator(2 * channels, norm=norm)
        for network in textbook:
            peer.initialise(network)
        training = peer.Pix2Pix(*textbook)
        return lambda: training.step(source, target)

    from medp2p.networks import build_discriminator, build_generator
    from medp2p.networks.memory import hold_freed_memory
    from medp2p.training import Pix2PixUpdate

    hold_freed_memory()
    generator = build_generator("unet_256", in_channels=channels, out_channels=channels, norm=norm)
    judge = build_discriminator("patch", in_channels=2 * channels, norm=norm)
    update = Pix2PixUpdate(generator, judge, precision=arm)
    weight = torch.ones(batch, 1, 256, 256)
    return lambda: update(source, target, weight)


def convolution(precision: str) -> Work:
    """What a convolution can reach here."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    features = torch.randn(16, 128, 64, 64).to(dtype).contiguous(memory_format=torch.channels_last)
    kernels = torch.randn(256, 128, 4, 4).to(dtype).contiguous(memory_format=torch.channels_last)
    return lambda: torch.nn.functional.conv2d(features, kernels, None, 2, 1)


def limits(precisions: Sequence[str] = ("fp32", "bf16")) -> dict[str, partial[Work]]:
    """Arms that measure the limits of this machine."""
    return {f"limit {precision}": partial(convolution, precision) for precision in precisions}


def precisions_here() -> tuple[str, ...]:
    """Those that a training on this processor may take."""
    import torch

    from medp2p.device import has_bf16

    return ("fp32", "bf16") if has_bf16(torch.device("cpu")) else ("fp32",)


def row(batch: int, channels: int, arm: str, found: dict[str, Measured]) -> list[str]:
    """Slices a second, how many times the peer's at the same batch, and its at batch 1, share of the limit, memory."""
    precision = "fp32" if arm == "peer" else arm
    rate, peer, by_default = found[arm].rate(batch), found["peer"].rate(batch), found[PEER_BY_DEFAULT].rate(1)
    times = ["1", ""] if arm == "peer" else [str(rate / peer), str(rate / by_default)]
    limit = (rate * GFLOP_PER_SLICE[channels] / found[f"limit {precision}"].rate(LIMIT_GFLOP)).percent()
    return [arm, str(rate), *times, limit, f"{found[arm].peak_mb:.0f}"]


def measure(batch: int, channels: int, norm: str, options: Options) -> Table:
    """All arms at one batch, and the peer at its own, which is 1."""
    precisions = precisions_here()
    names = ("peer", *precisions)
    arms = {arm: partial(stepper, arm, batch, channels, norm) for arm in names}
    alone = {} if batch == 1 else {PEER_BY_DEFAULT: partial(stepper, "peer", 1, channels, norm)}
    found = take_turns({**arms, **alone, **limits(precisions)}, options)
    found.setdefault(PEER_BY_DEFAULT, found["peer"])
    limit = [f"{found[f'limit {name}'].rate(LIMIT_GFLOP).median / 1000:.2f} TFLOP/s in {name}" for name in precisions]
    columns = ["arm", "slices/s", "× peer", "× peer at batch 1", "of the limit", "peak MB"]
    lacking = "" if "bf16" in precisions else " This processor has no instructions for bf16: trainings take fp32."
    note = (
        f"{options.in_words()}. Limit of a convolution: {', '.join(limit)}. The peer is a textbook pix2pix in fp32, "
        f"channels first.{lacking}"
    )
    return Table(title(batch, channels, norm), columns, [row(batch, channels, arm, found) for arm in names], note)


def title(batch: int, channels: int, norm: str) -> str:
    """What tables of scans were called from the beginning, and those of pictures."""
    return f"Batch {batch}, {norm} norm" + (", pictures in RGB" if channels > 1 else "")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--channels", type=int, nargs="+", choices=sorted(GFLOP_PER_SLICE), default=[1, 3])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--norm", choices=("batch", "instance"), default="batch")
    given, options = Options.parsed(parser)
    for channels, batch in product(given.channels, given.batches):
        show("step", [measure(batch, channels, given.norm, options)], keep=given.keep)


if __name__ == "__main__":
    main()
