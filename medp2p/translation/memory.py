"""How much memory a translation takes, said before it is taken."""

import contextlib
import logging
import os
import sys
from pathlib import Path

logger = logging.getLogger(__name__)

_PROCESS_BYTES = 300 << 20  # Python with torch and what comes with it
_PER_FEATURE_BYTES = 8  # all features of a U-Net that live at once, per pixel and channel of the first layer: measured


def needed_bytes(*, weights: int, voxels: int, bytes_per_voxel: int, slices: int, pixels: int, channels: int) -> int:
    """About how much memory a process takes that translates one scan.

    Args:
        weights: Bytes of the generator's weights.
        voxels: Of the scan.
        bytes_per_voxel: Of all sources and targets together.
        slices: At once.
        pixels: Of a slice as the network takes it.
        channels: Features of the network's first layer.

    Examples:
        >>> needed = needed_bytes(weights=217 << 20, voxels=256 * 256 * 180, bytes_per_voxel=4, slices=8,
        ...                       pixels=256 * 256, channels=64)
        >>> round(needed / 1e9, 1)
        1.1
    """
    return _PROCESS_BYTES + 2 * weights + voxels * bytes_per_voxel + slices * pixels * channels * _PER_FEATURE_BYTES


def tell_where_short(needed: int, shape: tuple[int, ...]) -> None:
    """Say in the log what a scan takes where that is more than there is.

    Args:
        needed: Bytes, as `needed_bytes` gives them.
        shape: Of the scan.
    """
    there = available_bytes()
    if there is not None and needed > there:
        logger.warning(
            "translating %s voxels takes about %.1f GB of memory and %.1f GB are free: fewer slices at once "
            "(--batch-size 1) take less",
            " x ".join(map(str, shape)),
            needed / 1e9,
            there / 1e9,
        )


def available_bytes() -> int | None:
    """How much memory this process may still take; None where the system does not say."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.append(int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) << 10)
    if sys.platform != "win32":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        with contextlib.suppress(OSError, ValueError):
            taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
            found += [max(limit - taken, 0)] if limit != resource.RLIM_INFINITY else []
    return min(found, default=None)
