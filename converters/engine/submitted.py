"""submitit's jobs as an executor of ``concurrent.futures``: what is submitted together is one array."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .workers import WorkerDied

#: Seconds between looks for results, and between questions to the queue.
_LOOK, _ASK = 0.2, 3.0
#: So often in a row a job must be gone without a result: shared folders show new files late.
_GONE = 3


@dataclass
class _Job:
    """A job and what waits for it."""

    job: Any
    future: Future[Any]
    gone: int = field(default=0)


class SubmititExecutor(Executor):
    """Jobs of SLURM, or of processes that stand for them.

    Args:
        jobs: a ``submitit.AutoExecutor``.
        folder: of its own, in which the jobs find their work and leave their results; removed at the end.
        alive: of some jobs, those that are queued or run, by their ids; None where nobody can say now.
    """

    def __init__(self, jobs: Any, folder: Path, alive: Callable[[Sequence[Any]], set[str] | None]) -> None:
        self._jobs, self._folder, self._alive = jobs, folder, alive
        self._new: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._open: list[_Job] = []
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="submitted", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As of every executor."""
        if self._ended.is_set():
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[Any] = Future()
        with self._lock:
            self._new.append((partial(fn, *args, **kwargs), future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel jobs that are not done and remove the folder."""
        self._ended.set()
        self._thread.join()
        for entry in self._open:
            entry.job.cancel(check=False)
            entry.future.cancel()
        for _, future in self._new:
            future.cancel()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _watch(self) -> None:
        try:
            self._follow()
        except Exception as error:  # nobody else could tell those who wait
            self._ended.set()
            for future in (*(entry.future for entry in self._open), *(future for _, future in self._new)):
                if not future.done():
                    future.set_exception(error)

    def _follow(self) -> None:
        asked = time.monotonic()
        while not self._ended.wait(_LOOK):
            self._send()
            self._open = [entry for entry in self._open if not self._took(entry)]
            if time.monotonic() - asked > _ASK and self._open:
                self._find_dead()
                asked = time.monotonic()

    def _send(self) -> None:
        with self._lock:
            new, self._new = self._new, []
        new = [(call, future) for call, future in new if future.set_running_or_notify_cancel()]
        if not new:
            return
        try:
            with self._jobs.batch():
                sent = [self._jobs.submit(call) for call, _ in new]
        except Exception as error:  # whatever the queue says against it is told to those who wait
            for _, future in new:
                future.set_exception(error)
            return
        self._open += [_Job(job, future) for job, (_, future) in zip(sent, new, strict=True)]

    def _took(self, entry: _Job) -> bool:
        """Whether the result was there, and is handed on."""
        if not entry.job.paths.result_pickle.exists():
            return False
        try:
            entry.future.set_result(entry.job.result())
        except Exception as error:
            entry.future.set_exception(error)
        return True

    def _find_dead(self) -> None:
        alive = self._alive([entry.job for entry in self._open])
        if alive is None:
            return
        for entry in self._open:
            entry.gone = 0 if entry.job.job_id in alive else entry.gone + 1
        dead = [entry for entry in self._open if entry.gone >= _GONE and not self._took(entry)]
        for entry in dead:
            entry.future.set_exception(
                WorkerDied(f"job {entry.job.job_id} ended without a result{_last(entry.job)}")
            )
        self._open = [entry for entry in self._open if not entry.future.done()]


def _last(job: Any) -> str:
    """What a job wrote to its error stream last: an error where there is one."""
    try:
        lines = [line.strip() for line in (job.stderr() or "").splitlines() if line.strip()]
    except OSError:
        return ""
    errors = [line for line in lines if "error" in line.lower()]
    return f": {(errors or lines)[-1]}" if lines else ""


def in_slurm(_: Sequence[Any]) -> set[str] | None:
    """All jobs of ours that SLURM's queue holds, asked without accounting, which not every cluster keeps."""
    command = ["squeue", "--noheader", "--array", "--me", "--format=%i"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode else set(done.stdout.split())


def in_processes(jobs: Sequence[Any]) -> set[str]:
    """Those of submitit's local jobs whose process runs."""
    return {job.job_id for job in jobs if not job.done()}
