"""Where cases are shared out to: processes of this machine, jobs of Slurm, or a dask scheduler that is there already.

Must never open a port beyond this machine unasked, nor let anybody else in: workers run whatever they are sent.
"""

import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from medp2p.errors import ConfigError, FileError, Medp2pError
from medp2p.many.attempt import MACHINE_FAILED

logger = logging.getLogger(__name__)

_START_S = 60
_CONNECT_S = 10
_FILES_ALWAYS, _FILES_PER_WORKER = 48, 12
"""Files that are open in this process, with room to spare; 22 and 9 were counted."""
_RULES = {
    "distributed.scheduler.worker-saturation": 1.0,  # no case waits at a worker, to be blamed for its neighbour's death
    "distributed.scheduler.allowed-failures": 2,
    "distributed.nanny.pre-spawn-environ": {},  # it would be set in this very process
    "distributed.scheduler.http.routes": [],  # pages that show everybody what is being worked on
    "distributed.worker.http.routes": [],
    "distributed.nanny.http.routes": [],
}
_NO_PAGES = {"dashboard": False}
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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
    dask, distributed = _extra("dask"), _extra("distributed")
    with ExitStack() as stack:
        stack.enter_context(_same_environment())
        if cluster is None:
            place: Any = _local(distributed, dask, stack, workers)
        elif cluster == "slurm":
            place = _slurm(dask, stack, workers)
        else:
            place = cluster
        client = stack.enter_context(_client(distributed, place, cluster))
        if cluster is None:
            _wait(client)
        elif not client.scheduler_info(n_workers=-1).get("workers"):
            logger.info("waiting for workers of %s", cluster)
        yield client


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(None, "sharing cases out needs more packages", key="--workers or --cluster",
                          found=f"no {module}", fix="pip install 'medp2p[cluster]'") from None  # fmt: skip


def _local(distributed: Any, dask: Any, stack: ExitStack, workers: int) -> Any:
    """Processes of this machine that only this process can talk to: loopback alone, and by keys of its own."""
    _refuse_few_files(workers)
    stack.enter_context(dask.config.set(_RULES))
    folder = stack.enter_context(_temporary_folder())
    with _as_start_error():
        return stack.enter_context(
            distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                protocol="tls://",
                security=_own_keys(distributed),
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs=_NO_PAGES,
                memory_limit=0,  # a worker near a limit would be paused, and never wake
                local_directory=folder,
                silence_logs=logging.CRITICAL + 1,
                env=_threads(workers),
            )
        )


def _slurm(dask: Any, stack: ExitStack, workers: int) -> Any:
    """Jobs of Slurm, one worker each; partition, account, time and memory are those of dask's own configuration."""
    jobqueue = _extra("dask_jobqueue")
    stack.enter_context(dask.config.set(_RULES))

    def configured(key: str, otherwise: Any) -> Any:
        return dask.config.get(f"jobqueue.slurm.{key}", None) or otherwise

    cores = int(configured("job-cpu", configured("cores", 2)))
    with _as_start_error():
        place = stack.enter_context(
            jobqueue.SLURMCluster(
                cores=1,
                processes=1,
                job_cpu=cores,
                memory=configured("memory", "8GiB"),
                walltime=configured("walltime", "24:00:00"),
                security=_own_keys(_extra("distributed")),
                protocol="tls://",
                shared_temp_directory=configured("shared-temp-directory", str(_shared_folder())),
                scheduler_options=_NO_PAGES | {"dashboard_address": ":0"},
                silence_logs=logging.CRITICAL + 1,
                job_extra_directives=_no_log(configured),
                job_script_prologue=[f"export {name}={cores}" for name in _THREADS],
            )
        )
        place.scale(jobs=workers)
    return place


def _no_log(configured: Any) -> list[str]:
    """Options that keep Slurm from leaving logs in the current folder, unless a place for them is named."""
    given = list(configured("job-extra-directives", []))
    return given if configured("log-directory", None) else [*given, "-o /dev/null", "-e /dev/null"]


def _shared_folder() -> Path:
    """Where the keys of this call lie for Slurm's jobs, readable for their user alone, until it ends."""
    home = Path.home()
    return home if os.access(home, os.W_OK) else Path.cwd()


def _own_keys(distributed: Any) -> Any:
    _extra("cryptography")
    return distributed.Security.temporary()


@contextmanager
def _client(distributed: Any, place: Any, cluster: str | None) -> Iterator[Any]:
    try:
        client = distributed.Client(place, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        if cluster is None or cluster == "slurm":
            raise _no_start(error) from None
        raise ConfigError(None, "no dask scheduler answers there", key="--cluster", found=cluster,
                          fix="check its address, and that it runs") from None  # fmt: skip
    with client:
        yield client


def _wait(client: Any) -> None:
    with _as_start_error():
        client.wait_for_workers(1, timeout=_START_S)


@contextmanager
def _as_start_error() -> Iterator[None]:
    try:
        yield
    except Medp2pError:
        raise
    except Exception as error:
        raise _no_start(error) from error


def _no_start(error: Exception) -> FileError:
    said = str(error).strip().partition("\n")[0][:200] or "nothing said"
    ours = FileError(
        None,
        "the workers did not start",
        key="--workers",
        found=f"{type(error).__name__}: {said}",
        fix="leave --workers out; in a script of your own, start below `if __name__ == '__main__':`",
    )
    ours.exit_code = MACHINE_FAILED
    return ours


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
        raise _no_start(error) from None
    with folder as path:
        yield path


def _threads(workers: int) -> Mapping[str, str]:
    """Each worker computes with its share of the cores, unless the user has said otherwise."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {name: os.environ.get(name, str(max(1, cores // workers))) for name in _THREADS}


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
