"""What was measured, as tables: printed, kept in `results.json`, and shown by the page of the documentation."""

import argparse
import datetime
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from medp2p.cores import usable_cores

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "measured.md"
PACKAGES = ("torch", "monai", "nibabel", "numpy", "scikit-image", "numba", "openvino")
OPENING = """\
# What was measured

Written by `make bench`. Every ratio is between two arms that took turns in one run: the median, and in brackets the
range over the turns. Ratios above 1 are in medp2p's favour.
"""


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    Attributes:
        title: What was measured.
        columns: Their names.
        rows: As many words each.
        note: How it was measured, and what it is measured against.
        machine: Where and when.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    machine: str = field(default_factory=lambda: machine())

    def text(self) -> str:
        """For a terminal."""
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
                 for row in (self.columns, *self.rows)]  # fmt: skip
        return "\n".join([self.title, *lines, self.note])

    def markdown(self) -> str:
        """For the page."""
        lines = [f"| {' | '.join(row)} |" for row in (self.columns, ["---"] * len(self.columns), *self.rows)]
        return "\n".join([f"### {self.title}", "", *lines, "", f"{self.note} *{self.machine}*".strip(), ""])


def machine() -> str:
    """Processor, versions, what else it was doing, and the day."""
    processor, units = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        facts = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line)
        facts = {name.strip(): value.strip() for name, value in facts.items()}
        processor = facts.get("model name", processor)
        flags = facts.get("flags", "").split()
        units = next((f", {word}" for flag, word in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX512-bf16 without AMX"),
                                                      ("avx2", "AVX2")) if flag in flags), "")  # fmt: skip
    load = f", load {os.getloadavg()[1]:.1f} while it was measured" if hasattr(os, "getloadavg") else ""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES if _is_installed(name))
    today = datetime.datetime.now(datetime.UTC).date()
    return (
        f"{usable_cores()} cores of {processor}{units}{load}; Python {platform.python_version()}, {versions}; {today}"
    )


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ImportError:
        return False


def parser_of(module_doc: str) -> argparse.ArgumentParser:
    """What every benchmark takes."""
    parser = argparse.ArgumentParser(description=module_doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help=f"put the tables into {RESULTS.name} and on the page")
    return parser


def show(benchmark: str, tables: Sequence[Table], *, keep: bool) -> None:
    """Prints tables of a benchmark; keeps them, each instead of its old one of the same title, if asked to."""
    for table in tables:
        print(table.text(), end="\n\n", flush=True)
    if not keep:
        return
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    mine = {table["title"]: table for table in known.get(benchmark, [])}
    known[benchmark] = list((mine | {table.title: asdict(table) for table in tables}).values())
    RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", "utf-8")
    PAGE.write_text(page(known), "utf-8")


def kept(benchmark: str) -> list[Table]:
    """The tables of a benchmark that were kept before."""
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    return [Table(**table) for table in known.get(benchmark, [])]


def page(results: dict[str, list[dict[str, object]]]) -> str:
    """The page of all results, in the order of the benchmarks."""
    from benchmarks.__main__ import BENCHMARKS, ON_REQUEST

    parts = [OPENING]
    for name, title in (BENCHMARKS | ON_REQUEST).items():
        if name in results:
            parts += [f"## {title}\n", *(Table(**table).markdown() for table in results[name])]  # type: ignore[arg-type]
    return "\n".join(parts)
