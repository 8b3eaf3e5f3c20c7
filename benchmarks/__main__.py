"""Runs every benchmark, each in a process of its own, and keeps what they found: `python -m benchmarks`, `make bench`.

    python -m benchmarks [NAME …] [options of each, such as --repeats 5]

Without names all of them. The tables go into `benchmarks/results.json` and docs/explanation/measured.md.
"""

import subprocess
import sys

BENCHMARKS = {
    "step": "Training step",
    "network": "The network of a translation",
    "whole_process": "A translation from file to file",
    "reading": "Reading and checking",
    "slice_source": "Slices and preparation",
    "picture_source": "Pictures",
    "evaluation": "Evaluation",
    "growth": "Growth",
}
"""By module, with what it measures."""
ON_REQUEST = {"quality": "Learning"}
"""Those that need scans of the reader's own, and hours."""


def main(words: list[str]) -> int:
    """The number of benchmarks that failed."""
    named = [word for word in words if word in BENCHMARKS]
    options = [word for word in words if word not in BENCHMARKS]
    failed = 0
    for name in named or BENCHMARKS:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", "--keep", *options]
        failed += subprocess.run(command, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
