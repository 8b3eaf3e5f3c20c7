"""`medp2p train --profile`: what the steps of a training spend their time on."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from medp2p.io.atomic import write_text

PROFILE_FILE = "profile.txt"
_ROWS = 40
_STEPS = 10
_KINDS = {
    "convolutions": (
        "conv",
        "mm",
        "gemm",
        "fold",
        "_halving",
        "_doubling",
        "_slicebyslice",
        "unfold",
        "col2im",
        "im2col",
    ),
    "optimiser": ("adam", "sgd", "foreach"),
    "norms": ("norm",),
    "activations and joins": ("relu", "tanh", "sigmoid", "threshold", "cat", "dropout", "clamp"),
    "copies and casts": ("copy", "_to", "contiguous", "clone", "memcpy", "memset", "fill", "zero"),
}
"""Kinds of operations by what their names hold; the first that fits counts."""


@contextmanager
def profiled(folder: Path, *, wanted: bool, say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Gives a function to call after every step; a table of operations is written, the costliest first.

    Args:
        folder: The run folder.
        wanted: Whether to measure at all.
        say: Told where the table is.
    """
    if not wanted:
        yield lambda: None
        return
    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(torch.profiler.ProfilerActivity.CUDA)

    def keep(profiler: torch.profiler.profile) -> None:
        device = "device" if torch.cuda.is_available() else "cpu"
        averages = profiler.key_averages()
        shares = shares_of({each.key: getattr(each, f"self_{device}_time_total") for each in averages})
        line = ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items())
        table = averages.table(sort_by=f"self_{device}_time_total", row_limit=_ROWS)
        write_text(folder / PROFILE_FILE, f"{line}\n\n{table}")
        say(f"what {_STEPS} steps spent their time on: {line}; {folder / PROFILE_FILE}")

    steps = torch.profiler.schedule(wait=2, warmup=2, active=_STEPS, repeat=1)
    with torch.profiler.profile(activities=activities, schedule=steps, on_trace_ready=keep) as profiler:
        yield profiler.step


def shares_of(seconds: Mapping[str, float]) -> dict[str, float]:
    """The share of each kind of operations in the time of all.

    Args:
        seconds: Of each operation by its name, without those that it calls.

    Examples:
        >>> shares_of({"aten::mkldnn_convolution": 6.0, "aten::native_batch_norm": 3.0, "aten::index": 1.0})
        {'convolutions': 0.6, 'norms': 0.3, 'other': 0.1}
    """
    whole = sum(seconds.values()) or 1.0
    shares = dict.fromkeys([*_KINDS, "other"], 0.0)
    for name, each in seconds.items():
        operation = name.rpartition("::")[2].lower()
        kinds = (kind for kind, words in _KINDS.items() if any(word in operation for word in words))
        shares[next(kinds, "other")] += each / whole
    return {kind: share for kind, share in shares.items() if share}
