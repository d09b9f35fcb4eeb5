"""A real SLURM of one machine, on loopback and in a folder of its own, for as long as tests run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.ports import free_ports

#: Debian's munge, slurmctld, slurmd and slurm-client.
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue", "scontrol", "scancel")
_PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
_CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that is queued again waits for as long as its first start could still be authorized.
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,bf_interval=1
SlurmdParameters=config_overrides
KillWait=2
PropagateResourceLimits=NONE
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running SLURM; `environment` is what its commands need."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": _PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str, **options) -> str:
        """What a command prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, **options
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def state(self, job: str) -> str:
        """RUNNING, COMPLETED, ..., of a job that may have ended."""
        found = [w for w in self.run("scontrol", "show", "job", job).split() if w.startswith("JobState=")]
        return found[0].removeprefix("JobState=")

    def wait_for(self, job: str, *states: str, seconds: float = 60) -> str:
        """Wait until a job is in one of the states."""
        deadline = time.monotonic() + seconds
        while (state := self.state(job)) not in states:
            assert time.monotonic() < deadline, (
                f"job {job} is {state}: {self.run('scontrol', 'show', 'job', job)}"
            )
            time.sleep(0.1)
        return state


@contextmanager
def running(folder: Path, cpus: int = 4) -> Iterator[Slurm]:
    """Start it, end it; skip where it is not installed.

    Args:
        folder: for its files; short, since a socket lies in it.
        cpus: that the node says it has.
    """
    missing = [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(
            f"SLURM (Debian: munge, slurmctld, slurmd) is not installed, or not run by root: {missing}"
        )
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = _CONF.format(host=host, ports=free_ports(2), folder=folder, cpus=cpus)
    (folder / "slurm.conf").write_text(conf)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    slurm = Slurm(folder)
    places = {
        "key-file": "munge.key",
        "socket": "munge.sock",
        "pid-file": "munge.pid",
        "log-file": "munge.log",
    }
    places["seed-file"] = "munge.seed"
    munged = ["munged", "--foreground", "--force", *(f"--{o}={folder / n}" for o, n in places.items())]
    with ExitStack() as stack:
        stack.enter_context(_daemon(slurm, munged))
        _wait(lambda: (folder / "munge.sock").exists(), folder)
        stack.enter_context(_daemon(slurm, ["slurmctld", "-D"]))
        stack.enter_context(_daemon(slurm, ["slurmd", "-D"]))
        _wait(lambda: _idle(slurm), folder)
        try:
            yield slurm
        finally:
            subprocess.run(["scancel", "--user=root"], env=slurm.environment, check=False)
            _wait(lambda: not slurm.run("squeue", "--noheader"), folder)


@contextmanager
def _daemon(slurm: Slurm, command: list[str]) -> Iterator[None]:
    with (slurm.folder / f"{command[0]}.out").open("wb") as log:
        process = subprocess.Popen(command, env=slurm.environment, stdout=log, stderr=log, cwd=slurm.folder)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _idle(slurm: Slurm) -> bool:
    done = subprocess.run(
        ["sinfo", "--noheader", "--format=%T"],
        env=slurm.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() == "idle"


def _wait(until, folder: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            logs = [
                p.read_text(errors="replace")[-1500:] for p in (*folder.glob("*.log"), *folder.glob("*.out"))
            ]
            pytest.fail("SLURM does not start:\n" + "\n".join(logs))
        time.sleep(0.05)
