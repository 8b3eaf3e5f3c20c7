"""Many cases: one after another in this process, or shared out over workers on this machine or a cluster.

Must never load dask for a plain loop.
"""

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from medp2p.errors import ConfigError, Medp2pError
from medp2p.many.attempt import attempt, unless_machine_failed, worker_number

__all__ = ["each_case", "is_plain_loop", "worker_number"]

Case = TypeVar("Case")
Row = TypeVar("Row")


def each_case(
    begin: Callable[[], Callable[[Case], Row]],
    cases: Sequence[Case],
    *,
    workers: int = 1,
    cluster: str | None = None,
    name: Callable[[Case], str] = str,
) -> Generator[tuple[Case, Row | Medp2pError], None, None]:
    """Works on every case and gives what came of it: a row, or the refusal of that case, which stops no other.

    A case must be safe to work on twice, since a worker may die in the middle of it: write whole files or none, and
    pass over what is finished. What a case leaves goes into files; its row is small, never voxels.

    Close the iterator, best by `contextlib.closing`, so that workers end with whatever ends the loop.

    Args:
        begin: Called once in every process that works, to load what all cases share; gives the work on one case.
            For workers it and the cases travel by pickle: a `functools.partial` of a function of a module.
        cases: What to work on.
        workers: Processes on this machine, or jobs on a cluster. One on this machine is a plain loop.
        cluster: `slurm`, or the address of a dask scheduler such as `tcp://host:8786`; None is this machine.
        name: What a case is called in a message.

    Yields:
        Each case with its row or refusal: in their order from a plain loop, from workers as they arrive. A case
        that keeps killing workers is refused with exit code 1.

    Raises:
        ConfigError: The extra `cluster` is missing, there is no such cluster, or too few files may be open.
        Medp2pError: The work cannot begin, or the machine failed a case (exit code 1), which would fail others too.

    Examples:
        >>> def begin():
        ...     squares = {number: number**2 for number in range(10)}
        ...     return squares.__getitem__
        >>> list(each_case(begin, [2, 3]))
        [(2, 4), (3, 9)]
    """
    if workers < 1:
        raise ConfigError(None, "no number of workers", found=workers, expected="at least 1", key="--workers",
                          fix="write --workers 2, or leave it out")  # fmt: skip
    if is_plain_loop(len(cases), workers=workers, cluster=cluster):
        return _one_after_another(begin, cases)
    from medp2p.many.spread import spread

    return spread(begin, cases, workers=workers, cluster=cluster, name=name)


def is_plain_loop(count: int, *, workers: int, cluster: str | None) -> bool:
    """Whether so many cases are worked on in this process, one after another."""
    return cluster is None and min(workers, count) <= 1


def _one_after_another(
    begin: Callable[[], Callable[[Case], Row]], cases: Sequence[Case]
) -> Generator[tuple[Case, Row | Medp2pError], None, None]:
    if not cases:
        return
    work = begin()
    for case in cases:
        yield case, unless_machine_failed(attempt(work, case))
