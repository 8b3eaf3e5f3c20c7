"""Cases shared out by dask: each result is taken, and let go of, as it arrives; a dying worker costs its case a retry.

Must be imported only where workers were asked for.
"""

import logging
import secrets
from collections.abc import Callable, Generator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from medp2p.errors import FileError, Medp2pError
from medp2p.many.attempt import MACHINE_FAILED, in_worker, say, unless_machine_failed
from medp2p.many.places import connected

logger = logging.getLogger(__name__)

Case = TypeVar("Case")
Row = TypeVar("Row")
Client: TypeAlias = Any
Future: TypeAlias = Any  # dask's own types are there only where the extra is
_POLL_S = 2.0
_MISSED_POLLS = 30
"""After how many polls without any worker on this machine the work is given up."""


def spread(
    begin: Callable[[], Callable[[Case], Row]],
    cases: Sequence[Case],
    *,
    workers: int,
    cluster: str | None,
    name: Callable[[Case], str],
) -> Generator[tuple[Case, Row | Medp2pError], None, None]:
    """As `each_case`, over workers; they end when the iterator does."""
    with connected(cluster, min(workers, len(cases))) as client:
        arrived: SimpleQueue[Future] = SimpleQueue()
        waiting = _submitted(client, begin, cases, arrived)
        while waiting:
            future = _next(client, arrived, forever=cluster is not None)
            case, _ = waiting.pop(future.key)
            outcome = _outcome(client, future, name(case), forever=cluster is not None)
            future.release()  # held on to, it would be made again when its worker dies
            yield case, outcome


def _submitted(
    client: Client, begin: Callable[[], Any], cases: Sequence[Case], arrived: SimpleQueue[Future]
) -> dict[str, tuple[Case, Future]]:
    token, level = secrets.token_hex(8), logging.getLogger("medp2p").getEffectiveLevel()
    waiting = {}
    for number, case in enumerate(cases):
        future = client.submit(in_worker, token, begin, case, level, key=f"{token}-{number}", pure=False)
        waiting[future.key] = (case, future)
        future.add_done_callback(arrived.put)
    return waiting


def _next(client: Client, arrived: SimpleQueue[Future], *, forever: bool) -> Future:
    """The next future that is done."""
    missed = 0
    while True:
        try:
            return arrived.get(timeout=_POLL_S)
        except Empty:
            missed = 0 if _has_workers(client) or forever else missed + 1
            _refuse_dead(client, missed)


def _outcome(client: Client, future: Future, name: str, *, forever: bool) -> Any:
    """The row or refusal of a future that is done; what its worker logged is logged here."""
    from distributed import KilledWorker

    missed = 0
    while future.status not in ("error", "cancelled", "lost"):
        try:
            outcome, said = future.result(timeout=_POLL_S)
        except TimeoutError:  # its worker died before it told: the case is being worked on again
            missed = 0 if _has_workers(client) or forever else missed + 1
            _refuse_dead(client, missed)
        else:
            say(said)
            return unless_machine_failed(outcome)
    error = future.exception(timeout=_POLL_S) if future.status == "error" else None
    if isinstance(error, KilledWorker):
        refusal = FileError(
            None,
            "every worker that took this case died",
            key=name,
            found=f"{_tries(error)} deaths",
            fix="do it alone, without workers, to see why: too little memory, or a damaged file",
        )
        refusal.exit_code = MACHINE_FAILED
        return refusal
    if error is not None:
        raise error
    raise _gone("the scheduler lost the work")


def _tries(error: Any) -> int:
    return int(getattr(error, "allowed_failures", 0)) + 1


def _has_workers(client: Client) -> bool:
    return bool(client.scheduler_info(n_workers=-1).get("workers"))


def _refuse_dead(client: Client, missed: int) -> None:
    if client.status not in ("running", "connecting"):
        raise _gone("the scheduler went away")
    if missed >= _MISSED_POLLS:
        raise _gone("no worker is left")


def _gone(cause: str) -> FileError:
    error = FileError(None, cause, key="--workers", fix="run the same command again: what is finished is kept")
    error.exit_code = MACHINE_FAILED
    return error
