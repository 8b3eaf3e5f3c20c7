"""What benchmarks are made of: arms that take turns, tables, and the page that shows them."""

import json
import time
from functools import partial

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.growth import exponent
from benchmarks.tables import PAGE, RESULTS, Table, page
from benchmarks.turns import Options, Spread, take_turns


def test_the_page_shows_the_results_that_are_kept() -> None:
    results = json.loads(RESULTS.read_text("utf-8"))
    assert set(results) <= set(BENCHMARKS)
    assert PAGE.read_text("utf-8") == page(results)


def sleeper(seconds: float):
    return partial(time.sleep, seconds)


@pytest.mark.slow
def test_arms_that_take_turns_are_told_apart() -> None:
    arms = {"quick": partial(sleeper, 0.01), "slow": partial(sleeper, 0.1)}
    found = take_turns(arms, Options(repeats=2, seconds=0.1, threads=1))
    assert (found["slow"].rate(1) / found["quick"].rate(1)).median < 1
    assert all(len(each.seconds) == 2 and each.peak_mb > 50 for each in found.values())


def test_ratios_are_taken_turn_by_turn() -> None:
    ratio = Spread([2.0, 4.0, 9.0]) / Spread([1.0, 1.0, 3.0])
    assert (ratio.values, ratio.median, str(ratio)) == ([2.0, 4.0, 3.0], 3.0, "3 (2–4)")


def test_the_exponent_of_a_square_is_2_and_that_of_a_constant_0() -> None:
    sizes = (2, 4, 8, 16)
    assert exponent(sizes, [size**2 for size in sizes]) == pytest.approx(2)
    assert exponent(sizes, [5.0] * 4) == pytest.approx(0)


def test_a_table_reads_in_a_terminal_and_on_a_page() -> None:
    table = Table("Steps", ["arm", "slices/s"], [["peer", "1"], ["ours", "2.5 (2–3)"]], "Note.", "a machine")
    assert table.text().splitlines()[1:3] == ["arm   slices/s", "peer  1"]
    assert "| ours | 2.5 (2–3) |" in table.markdown()
    assert table.markdown().rstrip().endswith("Note. *a machine*")
