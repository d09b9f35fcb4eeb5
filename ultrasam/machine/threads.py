"""How many threads a process computes with, and how they wait for each other.

Libraries take a thread for each core that they see. They do not see that a container may use half a core, or
that seven more processes of the same run share the machine; and their threads spin while they wait, which on
cores that are shared takes the time of those waited for. So every entry of this package begins with `set_up`.

What the environment says already, a user's ``OMP_NUM_THREADS`` first of all, stays.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How many processes of one run share this machine, as launchers say it: torchrun, Open MPI, MPICH and
#: Intel's MPI, MVAPICH.
_RANKS = ("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE")
#: Cores of a task of SLURM, which counts where it does not bind tasks to cores.
_SLURM = "SLURM_CPUS_PER_TASK"
#: How many threads there are to be; the first counts for all libraries here, OpenBLAS and MKL too.
_NUMBER = "OMP_NUM_THREADS"
#: Waiting without spinning: for GNU's OpenMP, which PyTorch's wheels bring, and for LLVM's and Intel's.
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
_CGROUP = Path("/sys/fs/cgroup")


def set_up() -> int:
    """Let this process, and those it starts, compute with `wanted` threads that wait passively.

    Libraries read the environment when they are loaded, so programs call this before they import PyTorch.
    Where PyTorch is there already, only its number of threads can still change, and is only made smaller.

    Returns:
        the number of threads.
    """
    number = wanted()
    chosen_by_user = _number(os.environ.get(_NUMBER)) is not None
    os.environ.setdefault(_NUMBER, str(number))
    if not any(name in os.environ for name in _PASSIVE):
        os.environ.update(_PASSIVE)
    torch = sys.modules.get("torch")
    if torch is not None and not chosen_by_user and torch.get_num_threads() > number:
        torch.set_num_threads(number)
    return number


def wanted(ranks: int | None = None) -> int:
    """Threads for this process: what the user set, else its share of the cores it may use, at least 1.

    Args:
        ranks: processes of this run on this machine; as the launcher says where None.
    """
    given = _number(os.environ.get(_NUMBER))
    if given is not None:
        return given
    cores = min(usable_cores(), _number(os.environ.get(_SLURM)) or sys.maxsize)
    if ranks is None:
        ranks = next((n for name in _RANKS if (n := _number(os.environ.get(name)))), 1)
    return max(cores // max(ranks, 1), 1)


@contextmanager
def of_torch(number: int) -> Iterator[None]:
    """Let PyTorch compute with so many threads meanwhile, where it is loaded; afterwards as before."""
    torch = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    try:
        if torch is not None:
            torch.set_num_threads(number)
        yield
    finally:
        torch = sys.modules.get("torch")
        if torch is not None:
            torch.set_num_threads(before or wanted())


#: Workers beyond which they wait for Python more than for each other, and memory is what they cost.
_MOST_WORKERS = 8


def workers() -> int:
    """How many threads of this process work at the same time, each on something of its own."""
    return min(wanted(), _MOST_WORKERS)


@contextmanager
def shared(number: int) -> Iterator[int]:
    """Within, so many workers share this process's threads: each computes with its part, at least 1.

    Networks opened within stay so.
    """
    before, part = os.environ.get(_NUMBER), max(wanted() // number, 1)
    with of_torch(part):
        os.environ[_NUMBER] = str(part)
        try:
            yield part
        finally:
            if before is None:
                del os.environ[_NUMBER]
            else:
                os.environ[_NUMBER] = before


def usable_cores() -> int:
    """Cores that this process may use: of its affinity, and of its container's quota, rounded up."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _quota(_CGROUP)
    return cores if quota is None else max(min(cores, math.ceil(quota)), 1)


def _quota(root: Path) -> float | None:
    """Cores' worth of time that control groups allow, of version 2 or 1; None where they don't say."""
    limits = [found for folder in _own_groups(root) if (found := _group_quota(folder)) is not None]
    return min(limits, default=None)


def _own_groups(root: Path) -> list[Path]:
    """The folders of this process's group and of those around it."""
    folders = [root, root / "cpu", root / "cpu,cpuacct"]
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return folders
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            top = root / controllers if controllers else root
            place = top / path.lstrip("/")
            folders += [place, *(p for p in place.parents if p.is_relative_to(top))]
    return folders


def _group_quota(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = (
                (folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period")
            )
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None  # "max" and -1 are no limit


def _number(text: str | None) -> int | None:
    """A number of threads or processes; OpenMP allows a list, one for each level of nesting."""
    try:
        number = int((text or "").split(",")[0])
    except ValueError:
        return None
    return number if number > 0 else None


if __name__ == "__main__":
    # For launchers in shell: the share of each of so many processes.
    sys.stdout.write(f"{wanted(int(sys.argv[1]) if len(sys.argv) > 1 else 1)}\n")
