"""Runs every benchmark, each in a process of its own: `python -m benchmarks`, or `make bench`."""

import subprocess
import sys

BENCHMARKS = ("step", "slice_source")


def main() -> int:
    """The number of benchmarks that failed."""
    failed = 0
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
