"""One training step, ours against the textbook pix2pix of `peer.py`, and its share of the machine's limit.

    python -m benchmarks.step [--batches 1 4 16] [--norm batch] [--repeats 3] [--clock wall] [--threads 0] [--keep]

Slices of 256 x 256, one channel in and out, 64 channels, U-Net of eight halvings and the 70 x 70 discriminator. The
limit is a convolution of 128 to 256 channels in channels_last order, measured in the same turns.
"""

from functools import partial

from benchmarks.tables import Table, parser_of, show
from benchmarks.turns import Measured, Options, Work, take_turns

ARMS = ("peer", "fp32", "bf16")
PEER_BY_DEFAULT = "peer at batch 1"
GFLOP_PER_SLICE = 85.6  # of one whole step: forward and backward of generator and discriminator
LIMIT_GFLOP = 2 * 16 * 32 * 32 * 256 * 128 * 16 / 1e9


def stepper(arm: str, batch: int, norm: str) -> Work:
    """A call that makes one step of a batch of noise."""
    import torch

    torch.manual_seed(0)
    source, target = 2 * torch.rand(2, batch, 1, 256, 256) - 1
    if arm == "peer":
        from benchmarks import peer

        textbook = peer.UNetGenerator(1, 1, norm=norm), peer.PatchDiscriminator(2, norm=norm)
        for network in textbook:
            peer.initialise(network)
        training = peer.Pix2Pix(*textbook)
        return lambda: training.step(source, target)

    from medp2p.networks import build_discriminator, build_generator
    from medp2p.networks.memory import hold_freed_memory
    from medp2p.training import Pix2PixUpdate

    hold_freed_memory()
    generator = build_generator("unet_256", in_channels=1, out_channels=1, norm=norm)
    update = Pix2PixUpdate(generator, build_discriminator("patch", in_channels=2, norm=norm), precision=arm)
    weight = torch.ones_like(target)
    return lambda: update(source, target, weight)


def convolution(precision: str) -> Work:
    """What a convolution can reach here."""
    import torch

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    features = torch.randn(16, 128, 64, 64).to(dtype).contiguous(memory_format=torch.channels_last)
    kernels = torch.randn(256, 128, 4, 4).to(dtype).contiguous(memory_format=torch.channels_last)
    return lambda: torch.nn.functional.conv2d(features, kernels, None, 2, 1)


def limits() -> dict[str, partial[Work]]:
    """Arms that measure the limits of this machine."""
    return {f"limit {precision}": partial(convolution, precision) for precision in ("fp32", "bf16")}


def row(batch: int, arm: str, found: dict[str, Measured]) -> list[str]:
    """Slices a second, how many times the peer's at the same batch, and its at batch 1, share of the limit, memory."""
    precision = "fp32" if arm == "peer" else arm
    rate, peer, by_default = found[arm].rate(batch), found["peer"].rate(batch), found[PEER_BY_DEFAULT].rate(1)
    times = ["1", ""] if arm == "peer" else [str(rate / peer), str(rate / by_default)]
    limit = (rate * GFLOP_PER_SLICE / found[f"limit {precision}"].rate(LIMIT_GFLOP)).percent()
    return [arm, str(rate), *times, limit, f"{found[arm].peak_mb:.0f}"]


def measure(batch: int, norm: str, options: Options) -> Table:
    """All arms at one batch, and the peer at its own, which is 1."""
    arms = {arm: partial(stepper, arm, batch, norm) for arm in ARMS}
    alone = {} if batch == 1 else {PEER_BY_DEFAULT: partial(stepper, "peer", 1, norm)}
    found = take_turns({**arms, **alone, **limits()}, options)
    found.setdefault(PEER_BY_DEFAULT, found["peer"])
    limit = {name: f"{found[f'limit {name}'].rate(LIMIT_GFLOP).median / 1000:.2f}" for name in ("fp32", "bf16")}
    columns = ["arm", "slices/s", "× peer", "× peer at batch 1", "of the limit", "peak MB"]
    note = (
        f"{options.in_words()}. Limit of a convolution: {limit['fp32']} TFLOP/s in fp32, {limit['bf16']} in bf16. The "
        "peer is a textbook pix2pix in fp32, channels first."
    )
    return Table(f"Batch {batch}, {norm} norm", columns, [row(batch, arm, found) for arm in ARMS], note)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--norm", choices=("batch", "instance"), default="batch")
    given, options = Options.parsed(parser)
    for batch in given.batches:
        show("step", [measure(batch, given.norm, options)], keep=given.keep)


if __name__ == "__main__":
    main()
