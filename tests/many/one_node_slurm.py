"""A Slurm of this one machine, from Debian's packages slurm-wlm and munge; for tests that skip where it is absent."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def is_there() -> bool:
    """Whether a Slurm can be started here: its programs are there, and we may be its root."""
    return os.name == "posix" and os.geteuid() == 0 and all(map(shutil.which, PROGRAMS))


@contextmanager
def one_node_slurm() -> Iterator[dict[str, str]]:
    """The environment in which Slurm's programs find it; it ends with the context. One at a time on a machine."""
    with (Path(tempfile.gettempdir()) / "one-node-slurm.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield from _started()


def _started() -> Iterator[dict[str, str]]:
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # a socket's path must be short
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o600)
    control_port, node_port = _free_ports()
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            folder=folder,
            cores=os.cpu_count(),
            control_port=control_port,
            node_port=node_port,
        )
    )
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
    places = [f"--{what}={folder}/{name}" for what, name in
              (("key-file", "key"), ("socket", "munge.socket"), ("pid-file", "munged.pid"), ("log-file", "munged.log"),
               ("seed-file", "seed"))]  # fmt: skip
    try:
        subprocess.run(["munged", "--force", *places], check=True, env=environment)
        subprocess.run(["slurmctld"], check=True, env=environment)
        subprocess.run(["slurmd"], check=True, env=environment)
        _wait_for_node(environment)
        yield {"SLURM_CONF": environment["SLURM_CONF"]}
    finally:
        for name in ("slurmd", "slurmctld", "munged"):
            _end(folder / f"{name}.pid")
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _wait_for_node(environment: dict[str, str]) -> None:
    for _ in range(60):
        said = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        if said.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    raise TimeoutError("Slurm did not come up")


def _end(pid_file: Path) -> None:
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, 15)
    except (OSError, ValueError):
        return
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
