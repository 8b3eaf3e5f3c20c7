"""What benchmarks are made of: arms that take turns, tables, and the page that shows them."""

import argparse
import json
import os
import sys
import time
from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import peer
from benchmarks.__main__ import BENCHMARKS, ON_REQUEST
from benchmarks.growth import exponent
from benchmarks.processes import apart, whole
from benchmarks.step import GFLOP_PER_SLICE
from benchmarks.tables import PAGE, RESULTS, Table, page
from benchmarks.turns import Options, Spread, in_turns, take_turns


def test_the_page_shows_the_results_that_are_kept() -> None:
    results = json.loads(RESULTS.read_text("utf-8"))
    assert set(results) <= {*BENCHMARKS, *ON_REQUEST}
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


def test_what_is_measured_in_turns_comes_after_one_that_warms_up() -> None:
    numbers = iter(range(6))
    first, second = in_turns([lambda: next(numbers), lambda: 10 * next(numbers)], 2, warm=True)
    assert (first.values, second.values) == ([2, 4], [30, 50])


def test_the_command_line_says_how_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", "--pairs", "2", "--clock", "processor", "--threads", "1"])
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int)
    given, options = Options.parsed(parser)
    assert (given.pairs, options) == (2, Options(clock="processor", threads=1))


def test_a_whole_process_is_measured_by_what_it_took_and_what_it_printed() -> None:
    code = "import os; held = b'x' * (300 << 20); print(os.environ['OMP_NUM_THREADS'])"
    seconds, peak_mb, printed = whole(["-c", code], Options(threads=1))
    assert (0 < seconds < 60, peak_mb > 300, printed) == (True, True, "1\n")


def test_a_process_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        whole(["-c", "raise SystemExit(3)"], Options())
    with pytest.raises(SystemExit, match="ended with 3"):
        apart(os._exit, 3)


def test_the_exponent_of_a_square_is_2_and_that_of_a_constant_0() -> None:
    sizes = (2, 4, 8, 16)
    assert exponent(sizes, [size**2 for size in sizes]) == pytest.approx(2)
    assert exponent(sizes, [5.0] * 4) == pytest.approx(0)


def test_a_table_reads_in_a_terminal_and_on_a_page() -> None:
    table = Table("Steps", ["arm", "slices/s"], [["peer", "1"], ["ours", "2.5 (2–3)"]], "Note.", "a machine")
    assert table.text().splitlines()[1:3] == ["arm   slices/s", "peer  1"]
    assert "| ours | 2.5 (2–3) |" in table.markdown()
    assert table.markdown().rstrip().endswith("Note. *a machine*")


@pytest.mark.parametrize("channels", sorted(GFLOP_PER_SLICE))
def test_the_operations_of_a_step_are_those_that_torch_counts(channels: int) -> None:
    with torch.device("meta"):
        generator, judge = peer.UNetGenerator(channels, channels), peer.PatchDiscriminator(2 * channels)
        source, target = torch.empty(2, 1, channels, 256, 256)
    training = peer.Pix2Pix(generator, judge)
    with FlopCounterMode(display=False) as counted:
        fake = generator(source)
        (training.judge(source, fake.detach(), 0.0) + training.judge(source, target, 1.0)).backward()
        judge.requires_grad_(False)
        (training.judge(source, fake, 1.0) + training.l1(fake, target)).backward()
    assert counted.get_total_flops() / 1e9 == pytest.approx(GFLOP_PER_SLICE[channels], abs=0.01)
