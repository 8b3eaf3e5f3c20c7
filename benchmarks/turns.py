"""Arms that take turns: each lives in a process of its own and waits while the others run, so that what the machine
does meanwhile meets them all.

Seconds are those of the wall, or of the processor (`--clock processor`): on a machine that others use at the same time
the latter still says how much work something is, above all with `--threads 1`.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

from medp2p.cores import usable_cores

Work = Callable[[], object]
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
        repeats: Turns of each arm that count; one more warms up.
        seconds: Of each turn, about.
        clock: A name of `CLOCKS`.
        threads: Of each arm; 0 is as many as there are cores.
    """

    repeats: int = 3
    seconds: float = 3.0
    clock: str = "wall"
    threads: int = 0

    @classmethod
    def parsed(cls, parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, "Options"]:
        """All that a benchmark is given on its command line, and how to measure."""
        parser.add_argument("--repeats", type=int, default=3)
        parser.add_argument("--seconds", type=float, default=3.0, help="of each turn, about")
        parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
        parser.add_argument("--threads", type=int, default=0, help="of each arm (default: one a core)")
        given = parser.parse_args()
        return given, cls(given.repeats, given.seconds, given.clock, given.threads)

    def environment(self) -> dict[str, str]:
        """For processes that are measured as a whole; Python keeps what it compiles, as of packages installed."""
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS") if self.threads else ()
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return kept | {name: str(self.threads) for name in names}

    def limit_threads(self) -> None:
        """Of torch, in this process."""
        import torch

        if self.threads:
            torch.set_num_threads(self.threads)

    def took(self, work: Work) -> float:
        """Seconds that some work took in this process."""
        began = CLOCKS[self.clock]()
        work()
        return CLOCKS[self.clock]() - began

    def in_words(self) -> str:
        threads = f"{self.threads} thread" if self.threads == 1 else f"{self.threads or usable_cores()} threads"
        return f"{threads}, seconds of the {self.clock}, {self.repeats} turns"


@dataclass(frozen=True)
class Measured:
    """What an arm took.

    Attributes:
        seconds: Of one piece of its work, turn by turn.
        peak_mb: Memory of its process at most.
    """

    seconds: list[float]
    peak_mb: float

    def rate(self, amount: float) -> "Spread":
        """How much a second, where one piece of work is so much."""
        return Spread([amount / each for each in self.seconds])


@dataclass(frozen=True)
class Spread:
    """Values of several turns; shown as median and range."""

    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __truediv__(self, other: "Spread") -> "Spread":
        """Turn by turn, since neighbours in time met the same machine."""
        return Spread([one / another for one, another in zip(self.values, other.values, strict=True)])

    def __mul__(self, factor: float) -> "Spread":
        return Spread([value * factor for value in self.values])

    def __str__(self) -> str:
        return f"{self.median:.3g} ({min(self.values):.3g}–{max(self.values):.3g})"

    def percent(self) -> str:
        return f"{self.median:.0%} ({min(self.values):.0%}–{max(self.values):.0%})"


def in_turns(measures: Sequence[Callable[[], float]], turns: int, *, warm: bool = False) -> list[Spread]:
    """What is measured in this process, one after the other in each turn.

    Args:
        measures: Each gives one value.
        turns: That count.
        warm: One more comes before them.
    """
    found = [[measure() for measure in measures] for _ in range(turns + warm)][warm:]
    return [Spread(list(column)) for column in zip(*found, strict=True)]


def take_turns(arms: Mapping[str, Callable[[], Work]], options: Options) -> dict[str, Measured]:
    """Measures every arm.

    Args:
        arms: By name, what makes its work in its own process; it travels by pickle.
        options: How to measure.
    """
    spawn = multiprocessing.get_context("spawn")
    ends: dict[str, Connection] = {}
    processes = []
    for name, make in arms.items():
        ours, theirs = spawn.Pipe()
        processes.append(spawn.Process(target=_arm, args=(make, options, theirs), daemon=True))
        processes[-1].start()
        ours.recv()  # made, and warm
        ends[name] = ours
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    peak_mb, often = dict.fromkeys(arms, 0.0), dict.fromkeys(arms, 1)
    for turn in range(options.repeats + 1):
        for name, end in ends.items():
            end.send(often[name])
            took, peak_mb[name] = end.recv()
            often[name] = max(1, round(options.seconds / took))
            if turn:
                seconds[name].append(took)
    for end, process in zip(ends.values(), processes, strict=True):
        end.send(0)
        process.join()
    return {name: Measured(seconds[name], peak_mb[name]) for name in arms}


def _arm(make: Callable[[], Work], options: Options, answers: Connection) -> None:
    """Does its work as often as it is told, again and again, and says what one piece took and what memory it needed."""
    options.limit_threads()
    work = make()
    work()
    answers.send(None)
    while often := answers.recv():
        took = options.took(partial(_repeat, work, often))
        answers.send((took / often, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _repeat(work: Work, often: int) -> None:
    for _ in range(often):
        work()
