"""A process counts the cores that it may use, and one place counts them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import medp2p
from medp2p.cores import usable_cores

PACKAGE = Path(medp2p.__file__).parent


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system keeps no process to some cores")
def test_a_process_that_is_kept_to_one_core_counts_one() -> None:
    code = f"""
import os
os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})
from medp2p.cores import usable_cores
print(usable_cores())
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


@pytest.mark.parametrize(("told", "counted"), [(6, 6), (None, 1)])
def test_where_the_system_knows_no_affinity_the_machine_is_asked(
    monkeypatch: pytest.MonkeyPatch, told: int | None, counted: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: told)
    assert usable_cores() == counted


def test_nothing_else_in_the_package_counts_cores() -> None:
    counting = [path for path in PACKAGE.rglob("*.py") if "cpu_count" in path.read_text(encoding="utf-8")]
    assert counting == [PACKAGE / "cores.py"]
