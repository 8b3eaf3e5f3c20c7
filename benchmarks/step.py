"""One training step, ours against the textbook pix2pix of `peer.py`, and its share of the machine's limit.

    python -m benchmarks.step [--batches 1 4 16] [--repeats 3] [--norm batch] [--json FILE]

Slices of 256 x 256, one channel in and out, 64 channels, U-Net of eight halvings and the 70 x 70 discriminator. Every
arm lives in a process of its own, which waits while the others run; the arms take turns, so what the machine does
meanwhile meets them all. Given are the best and the median of the repeats.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

ARMS = ("peer", "fp32", "bf16")
GFLOP_PER_SLICE = 85.6  # of one whole step: forward and backward of generator and discriminator
_SECONDS_PER_TURN = 3.0


def stepper(arm: str, batch: int, norm: str) -> Callable[[], object]:
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


def arm_process(arm: str, batch: int, norm: str, answers: Connection) -> None:
    """Makes as many steps as it is told, again and again, and says how long they took and what memory it needed."""
    step = stepper(arm, batch, norm)
    step()
    answers.send(None)
    while steps := answers.recv():
        began = time.perf_counter()
        for _ in range(steps):
            step()
        seconds = (time.perf_counter() - began) / steps
        answers.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def limits_tflops() -> dict[str, float]:
    """What a convolution of 128 to 256 channels reaches here in channels_last order, best of many, per precision."""
    import torch

    best = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        features = torch.randn(16, 128, 64, 64).to(dtype).contiguous(memory_format=torch.channels_last)
        kernels = torch.randn(256, 128, 4, 4).to(dtype).contiguous(memory_format=torch.channels_last)
        seconds = []
        for _ in range(15):
            began = time.perf_counter()
            torch.nn.functional.conv2d(features, kernels, None, 2, 1)
            seconds.append(time.perf_counter() - began)
        best[name] = 2 * 16 * 32 * 32 * 256 * 128 * 16 / min(seconds) / 1e12
    return best


def measure(batch: int, norm: str, repeats: int) -> dict[str, dict[str, float]]:
    """Slices per second and peak memory of every arm, taken in turns."""
    spawn = multiprocessing.get_context("spawn")
    arms, processes, steps = {}, [], {}
    for arm in ARMS:
        ours, theirs = spawn.Pipe()
        processes.append(spawn.Process(target=arm_process, args=(arm, batch, norm, theirs), daemon=True))
        processes[-1].start()
        ours.recv()
        arms[arm] = ours
    found: dict[str, list[float]] = {arm: [] for arm in ARMS}
    peak_mb = dict.fromkeys(ARMS, 0.0)
    for turn in range(repeats + 1):
        for arm, answers in arms.items():
            answers.send(steps.get(arm, 1))
            seconds, peak_mb[arm] = answers.recv()
            steps[arm] = max(1, round(_SECONDS_PER_TURN / seconds))
            if turn:
                found[arm].append(batch / seconds)
    for answers, process in zip(arms.values(), processes, strict=True):
        answers.send(0)
        process.join()
    return {
        arm: {"best": max(rates), "median": statistics.median(rates), "peak_mb": peak_mb[arm]}
        for arm, rates in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--norm", choices=("batch", "instance"), default="batch")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    limit = limits_tflops()
    print(f"limit, TFLOP/s: fp32 {limit['fp32']:.2f}, bf16 {limit['bf16']:.2f}; norm {options.norm}")
    print(f"{'batch':>5} {'arm':>5} {'slices/s':>9} {'median':>7} {'ratio':>6} {'of limit':>8} {'peak MB':>8}")
    results = {}
    for batch in options.batches:
        found = results[batch] = measure(batch, options.norm, options.repeats)
        for arm, row in found.items():
            row["ratio"] = row["median"] / found["peer"]["median"]
            row["of_limit"] = row["best"] * GFLOP_PER_SLICE / 1000 / limit["bf16" if arm == "bf16" else "fp32"]
            numbers = f"{row['best']:9.2f} {row['median']:7.2f} {row['ratio']:6.2f} {row['of_limit']:8.0%}"
            print(f"{batch:5} {arm:>5} {numbers} {row['peak_mb']:8.0f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"limit_tflops": limit, "norm": options.norm, "batches": results}, indent=1))


if __name__ == "__main__":
    main()
