"""Workers as jobs of Slurm; partition, account, time and memory are those of dask's own jobqueue.yaml."""

import logging
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from medp2p.errors import ConfigError
from medp2p.many.starting import NO_PAGES, RULES, THREADS, as_start_error, extra, own_keys


def slurm_cluster(dask: Any, stack: ExitStack, workers: int) -> Any:
    """A dask cluster of so many jobs, one worker each; they are cancelled when the stack ends.

    Raises:
        ConfigError: There is no Slurm here, or it does not take such jobs.
        FileError: dask could not start; exit code 1.
    """
    jobqueue = extra("dask_jobqueue")
    if shutil.which("sbatch") is None:
        raise ConfigError(None, "Slurm is not to be had on this machine", key="--cluster", found="no sbatch",
                          fix="run this where jobs are submitted")  # fmt: skip
    stack.enter_context(dask.config.set(RULES))

    def configured(key: str, otherwise: Any) -> Any:
        return dask.config.get(f"jobqueue.slurm.{key}", None) or otherwise

    cores = int(configured("job-cpu", configured("cores", 2)))
    with as_start_error():
        place = stack.enter_context(
            jobqueue.SLURMCluster(
                cores=1,
                processes=1,
                job_cpu=cores,
                memory=configured("memory", "8GiB"),  # must be said; asked for only where it was configured
                job_directives_skip=[] if configured("memory", None) else ["--mem"],
                worker_extra_args=[*configured("worker-extra-args", []), "--memory-limit", "0"],
                security=_keys_in_files(extra("distributed"), stack, configured("shared-temp-directory", None)),
                protocol="tls://",
                scheduler_options=NO_PAGES | {"dashboard_address": ":0"},
                silence_logs=logging.CRITICAL + 1,
                job_extra_directives=_no_log(configured),
                job_script_prologue=[f"export {name}={cores}" for name in THREADS],
            )
        )
        _refuse_job(place.job_script())
        place.adapt(minimum_jobs=workers, maximum_jobs=workers)  # so that a job that ends is followed by another
    return place


def _refuse_job(script: str) -> None:
    """Raise where Slurm would not take such a job."""
    words = ["sbatch", "--test-only"]
    tried = subprocess.run(words, input=script, capture_output=True, text=True, errors="replace")  # noqa: S603  # fixed
    if tried.returncode:
        said = tried.stderr.strip().rpartition("\n")[2][:200]
        raise ConfigError(None, "Slurm refuses such jobs", key="--cluster", found=said or "nothing said",
                          fix="set partition, account, memory and time in dask's jobqueue.yaml")  # fmt: skip


def _no_log(configured: Any) -> list[str]:
    """Options that keep Slurm from leaving logs in the current folder, unless a place for them is named."""
    given = list(configured("job-extra-directives", []))
    return given if configured("log-directory", None) else [*given, "-o /dev/null", "-e /dev/null"]


def _keys_in_files(distributed: Any, stack: ExitStack, shared: str | None) -> Any:
    """Keys of this call where jobs find them, readable for their user alone, until it ends.

    Args:
        distributed: The library.
        stack: What ends with the call.
        shared: A folder that all nodes see; None is the home, or the current folder where there is no home.
    """
    home = Path.home()
    place = shared or str(home if os.access(home, os.W_OK) else Path.cwd())
    folder = Path(
        stack.enter_context(tempfile.TemporaryDirectory(prefix=".medp2p-keys-", dir=os.path.expandvars(place)))
    )
    keys = own_keys(distributed)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    key.write_text(keys.tls_worker_key, encoding="ascii")
    certificate.write_text(keys.tls_worker_cert, encoding="ascii")
    of_roles = {f"tls_{role}_{what}": str(path) for role in ("client", "scheduler", "worker")
                for what, path in (("key", key), ("cert", certificate))}  # fmt: skip
    return distributed.Security(require_encryption=True, tls_ca_file=str(certificate), **of_roles)
