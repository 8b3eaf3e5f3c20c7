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
from medp2p.many.interrupt import IgnoreInterrupt
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
        if cluster is None:
            client.register_plugin(IgnoreInterrupt())
        arrived: SimpleQueue[tuple[str, bytes | None]] = SimpleQueue()
        waiting = _submitted(client, begin, cases, arrived)
        while waiting:
            key, told = _next(client, arrived, forever=cluster is not None)
            if key not in waiting:
                continue  # its result was here before
            case, future = waiting.pop(key)
            outcome = _no_result(future, name(case)) if told is None else _result(told)
            future.release()  # held on to, it would be made again when its worker dies
            yield case, outcome


def _submitted(
    client: Client, begin: Callable[[], Any], cases: Sequence[Case], arrived: SimpleQueue[tuple[str, bytes | None]]
) -> dict[str, tuple[Case, Future]]:
    """All cases, each with its future; what comes of them goes into the queue.

    Results come as events, which the scheduler has before it gives their worker another case. Left with the worker
    to be fetched, they would die with it, and the case be made twice.
    """
    token, level = secrets.token_hex(8), logging.getLogger("medp2p").getEffectiveLevel()
    client.subscribe_topic(token, lambda event: arrived.put(event[1]))
    waiting = {}
    for number, case in enumerate(cases):
        key = f"{token}-{number}"
        future = client.submit(_tell, token, key, begin, case, level, key=key, pure=False)
        waiting[key] = (case, future)
        future.add_done_callback(lambda done: arrived.put((done.key, None)))
    return waiting


def _tell(token: str, key: str, begin: Callable[[], Any], case: object, level: int) -> None:
    """What runs in a worker."""
    from distributed import get_worker
    from distributed.protocol.serialize import serialize_bytes

    get_worker().log_event(token, (key, serialize_bytes(in_worker(token, begin, case, level))))


def _result(told: bytes) -> Any:
    """The row or refusal that a worker told; what it logged is logged here."""
    from distributed.protocol.serialize import deserialize_bytes

    outcome, said = deserialize_bytes(told)
    say(said)
    return unless_machine_failed(outcome)


def _no_result(future: Future, name: str) -> FileError:
    """The refusal of a case that killed its workers; whatever else ended it is raised."""
    from distributed import KilledWorker

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


def _next(client: Client, arrived: SimpleQueue[tuple[str, bytes | None]], *, forever: bool) -> tuple[str, bytes | None]:
    """The key of the next case that is done, and what its worker told, if it did."""
    missed = 0
    while True:
        try:
            return arrived.get(timeout=_POLL_S)
        except Empty:
            missed = 0 if forever or _has_workers(client) else missed + 1
            _refuse_dead(client, missed)


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
