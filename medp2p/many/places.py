"""Where cases are shared out to: processes of this machine, jobs of Slurm, or a dask scheduler that is there already.

Must never open a port beyond this machine unasked, nor let anybody else in: workers run whatever they are sent.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from medp2p.errors import ConfigError
from medp2p.many.slurm import slurm_cluster
from medp2p.many.starting import as_start_error, extra, no_start
from medp2p.many.this_machine import local_cluster

logger = logging.getLogger(__name__)

_START_S = 60
_CONNECT_S = 10


@contextmanager
def connected(cluster: str | None, workers: int) -> Iterator[Any]:
    """A dask client of the workers asked for; when it ends, so do those that were started for it.

    Args:
        cluster: None for this machine, `slurm`, or the address of a scheduler.
        workers: Processes, or jobs.

    Raises:
        ConfigError: The extra `cluster` is missing, or there is no such place.
        FileError: The workers did not come up; exit code 1.
    """
    if not (cluster is None or cluster == "slurm" or "://" in cluster):
        raise ConfigError(None, "there is no such cluster", key="--cluster", found=cluster,
                          expected="slurm, or an address: tcp://host:8786", fix="write one of these")  # fmt: skip
    dask, distributed = extra("dask"), extra("distributed")
    with ExitStack() as stack:
        stack.enter_context(_same_environment())
        if cluster is None:
            place: Any = local_cluster(distributed, dask, stack, workers)
        elif cluster == "slurm":
            place = slurm_cluster(dask, stack, workers)
        else:
            place = cluster
        client = stack.enter_context(_client(distributed, place, cluster))
        if cluster is None:
            _wait(client)
        elif not client.scheduler_info(n_workers=-1).get("workers"):
            logger.info("waiting for workers of %s", cluster)
        yield client


@contextmanager
def _client(distributed: Any, place: Any, cluster: str | None) -> Iterator[Any]:
    try:
        client = distributed.Client(place, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        if cluster is None or cluster == "slurm":
            raise no_start(error) from None
        raise ConfigError(None, "no dask scheduler answers there", key="--cluster", found=cluster,
                          fix="check its address, and that it runs") from None  # fmt: skip
    with client:
        yield client


def _wait(client: Any) -> None:
    with as_start_error():
        client.wait_for_workers(1, timeout=_START_S)


@contextmanager
def _same_environment() -> Iterator[None]:
    """Undone afterwards: dask sets a hash seed in the process that starts workers."""
    before = os.environ.get("PYTHONHASHSEED")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("PYTHONHASHSEED", None)
        else:
            os.environ["PYTHONHASHSEED"] = before
