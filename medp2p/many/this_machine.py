"""Workers as processes of this machine, which nobody else can reach: loopback alone, and by keys of this call."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from medp2p.cores import usable_cores
from medp2p.errors import ConfigError
from medp2p.many.starting import NO_PAGES, RULES, THREADS, as_start_error, no_start, own_keys

_FILES_ALWAYS, _FILES_PER_WORKER = 48, 12
"""Files that are open in this process, with room to spare; 22 and 9 were counted."""


def local_cluster(distributed: Any, dask: Any, stack: ExitStack, workers: int) -> Any:
    """A dask cluster of so many processes; it ends with the stack.

    Raises:
        ConfigError: Too few files may be open.
        FileError: They did not start; exit code 1.
    """
    _refuse_few_files(workers)
    stack.enter_context(dask.config.set(RULES))
    folder = stack.enter_context(_temporary_folder())
    with as_start_error():
        return stack.enter_context(
            distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                protocol="tls://",
                security=own_keys(distributed),
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs=NO_PAGES,
                memory_limit=0,  # a worker near a limit would be paused, and never wake
                local_directory=folder,
                silence_logs=logging.CRITICAL + 1,
                env=_threads(workers),
            )
        )


def _refuse_few_files(workers: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _FILES_ALWAYS + _FILES_PER_WORKER * workers
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        raise ConfigError(None, "too few files may be open for so many workers", key="--workers", found=allowed,
                          expected=f"at least {needed}", fix="take fewer, or raise it: ulimit -n 1024")  # fmt: skip


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder of its own for the workers' scratch files; none where nothing can be written."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="medp2p-workers-", ignore_cleanup_errors=True)
    except OSError as error:
        raise no_start(error) from None
    with folder as path:
        yield path


def _threads(workers: int) -> Mapping[str, str]:
    """Each worker computes with its share of the cores, unless the user has said otherwise."""
    return {name: os.environ.get(name, str(max(1, usable_cores() // workers))) for name in THREADS}
