"""What ``--executor`` names: processes of this machine, Dask's cluster, SLURM's queue."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .errors import ExecutorError
from .submitted import SubmititExecutor, in_processes, in_slurm
from .workers import AnyWorkers, Opened, Workers

#: How an executor is named on a command line.
KINDS = "processes, dask://HOST:PORT, slurm[:KEY=VALUE,...] or submitit-local"
#: Seconds that a scheduler may take to answer, and that its workers may take to come.
_ANSWER, _COMING = 10, 30
#: Minutes of a job of SLURM, unless the option says.
_MINUTES = 60


def from_option(text: str, workers: int | None, folder: Path) -> AnyWorkers:
    """An executor by its name.

    Args:
        text: see `KINDS`. What follows ``slurm:`` are parameters of submitit's SLURM executor, such as
            ``partition=cpu,time=120,mem_gb=8``.
        workers: processes, or jobs at once; 1 where None. Dask's cluster says itself how many it has.
        folder: on a file system that the jobs share; they get a folder of their own in it.

    Returns:
        what `finished` takes.

    Raises:
        ExecutorError: there is no such kind, or it is not said where it is.
    """
    kind, _, rest = text.partition(":")
    if kind == "dask":
        if not rest.removeprefix("//") or not rest.startswith("//"):
            raise ExecutorError(f"--executor {text}: where is its scheduler? dask://HOST:PORT")
        if workers is not None:
            raise ExecutorError("--workers does nothing with Dask: its cluster has the workers that it has")
        from distributed import KilledWorker

        return Workers(text, partial(_dask, text), deaths=(KilledWorker,), sure=False)
    if workers is not None and workers < 1:
        raise ExecutorError(f"--workers takes a number from 1, not {workers}")
    if text == "processes":
        return workers or 1
    if text == "submitit-local" or kind == "slurm":
        opening = partial(_submitit, text, _parameters(text, rest), workers or 1, folder)
        return Workers(text, opening)
    raise ExecutorError(f"there is no executor '{text}': it is {KINDS}")


@contextmanager
def _dask(text: str) -> Iterator[Opened]:
    from distributed import Client

    address = text.replace("dask://", "tcp://", 1)
    try:
        client = Client(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ExecutorError(
            f"{text} can't be reached: no scheduler of Dask answers at {address} ({error}); "
            "'dask scheduler' starts one"
        ) from error
    # Of a scheduler that is gone we tell ourselves, in a line.
    for name in ("client", "core", "utils"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
    with client:
        try:
            client.wait_for_workers(1, timeout=_COMING)
        except TimeoutError as error:
            raise ExecutorError(f"{text} has no workers; 'dask worker {address}' starts some") from error
        yield Opened.of(client.get_executor(pure=False), sum(client.nthreads().values()))


def _parameters(text: str, rest: str) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for pair in filter(None, rest.split(",")):
        key, is_given, value = pair.partition("=")
        if not is_given:
            raise ExecutorError(f"--executor {text}: '{pair}' is no KEY=VALUE")
        found[key] = int(value) if value.isdigit() else value
    return found


@contextmanager
def _submitit(text: str, given: dict[str, str | int], count: int, folder: Path) -> Iterator[Opened]:
    import submitit

    local = text == "submitit-local"
    # Whoever can write there can run code in the jobs.
    place = folder.resolve() / f".jobs-{uuid.uuid4().hex[:8]}"
    place.mkdir(mode=0o700, parents=True)
    try:
        jobs = submitit.AutoExecutor(place, cluster="local" if local else "slurm")
        if local:
            jobs.update_parameters(timeout_min=_MINUTES)
        else:
            # What this process may use is no measure for a node's.
            threads = "export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}"
            parameters = {"time": _MINUTES, "array_parallelism": count, "setup": [threads], **given}
            jobs.update_parameters(**{f"slurm_{key}": value for key, value in parameters.items()})
    except (RuntimeError, NameError, ValueError, AssertionError) as error:
        shutil.rmtree(place, ignore_errors=True)
        raise ExecutorError(f"{text} can't be used: {error}") from error
    # On this machine a job is two new processes; a queue may take the jobs of a run at different times.
    pieces = count if local else 4 * count
    with SubmititExecutor(jobs, place, in_processes if local else in_slurm) as executor:
        yield Opened(executor, ahead=pieces, pieces=pieces, costly=True)
