"""What starting workers shares, wherever they are: the extra, rules, keys, and one line where it fails."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from medp2p.errors import ConfigError, FileError, Medp2pError
from medp2p.many.attempt import MACHINE_FAILED

RULES = {
    "distributed.scheduler.worker-saturation": 1.0,  # no case waits at a worker, to be blamed for its neighbour's death
    "distributed.scheduler.allowed-failures": 2,
    "distributed.nanny.pre-spawn-environ": {},  # it would be set in this very process
    "distributed.scheduler.http.routes": [],  # pages that show everybody what is being worked on
    "distributed.worker.http.routes": [],
    "distributed.nanny.http.routes": [],
}
"""Settings of dask for workers that are started for one call."""

NO_PAGES = {"dashboard": False}
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def extra(module: str) -> Any:
    """A library of the extra `cluster`, or one line that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigError(None, "sharing cases out needs more packages", key="--workers or --cluster",
                          found=f"no {module}", fix="pip install 'medp2p[cluster]'") from None  # fmt: skip


def own_keys(distributed: Any) -> Any:
    """Keys of one call: whoever lacks them cannot talk to its workers."""
    extra("cryptography")
    return distributed.Security.temporary()


@contextmanager
def as_start_error() -> Iterator[None]:
    """Whatever goes wrong inside, as an error of starting workers."""
    try:
        yield
    except Medp2pError:
        raise
    except Exception as error:
        raise no_start(error) from error


def no_start(error: Exception) -> FileError:
    """Workers did not start, as one line; exit code 1."""
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
