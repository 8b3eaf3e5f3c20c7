"""`medp2p train --profile`: what the steps of a training spend their time on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from medp2p.io.atomic import write_text

PROFILE_FILE = "profile.txt"
_ROWS = 40
_STEPS = 10


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
        order = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        write_text(folder / PROFILE_FILE, profiler.key_averages().table(sort_by=order, row_limit=_ROWS))
        say(f"what {_STEPS} steps spent their time on: {folder / PROFILE_FILE}")

    steps = torch.profiler.schedule(wait=2, warmup=2, active=_STEPS, repeat=1)
    with torch.profiler.profile(activities=activities, schedule=steps, on_trace_ready=keep) as profiler:
        yield profiler.step
