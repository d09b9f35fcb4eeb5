"""Work spread over processes, or over any ``concurrent.futures`` executor: the same results from each.

What was under way in a worker that died is done again, and what kills two workers is given up: the rest goes
on.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import cv2

from .errors import ExecutorError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Deaths in a row, without a result between them, after which it is not the work that kills; and where there
#: has been no result at all.
_IN_A_ROW, _FROM_THE_START = 8, 3
_KEPT = "what is done is kept: start again to go on"


class WorkerDied(Exception):
    """How an executor of ours says that the worker of a piece died."""


@dataclass(frozen=True)
class Opened:
    """An executor that takes work.

    Attributes:
        executor: of ``concurrent.futures``.
        ahead: pieces that it is given at once.
        pieces: of how many a run should consist, so that they are neither too many nor too large.
        costly: whether a piece takes long to begin, so that it should be large.
    """

    executor: Executor
    ahead: int
    pieces: int
    costly: bool = False

    @classmethod
    def of(cls, executor: Executor, count: int) -> Opened:
        """One that costs little for a piece, and does `count` of them at once."""
        return cls(executor, ahead=2 * count, pieces=8 * count)


@dataclass(frozen=True)
class Workers:
    """Where work is done.

    Attributes:
        name: for messages.
        open: gives the executor for as long as the block runs.
        reopens: whether an executor that a death took down can be had anew.
        deaths: errors by which the executor says that a worker died, beside ``BrokenExecutor``.
        sure: whether they come to the piece worked at alone, and not to those that waited for the worker too.
    """

    name: str
    open: Callable[[], AbstractContextManager[Opened]]
    reopens: bool = False
    deaths: tuple[type[BaseException], ...] = (WorkerDied,)
    sure: bool = True

    @classmethod
    def of(cls, given: AnyWorkers) -> Workers:
        """So many processes of this machine, or an executor of any kind."""
        if isinstance(given, Workers):
            return given
        if isinstance(given, Executor):
            opened = Opened.of(given, os.cpu_count() or 1)
            return cls(f"the {type(given).__name__}", lambda: nullcontext(opened))
        if given < 1:
            raise ExecutorError(f"workers are a number from 1, not {given}")
        return cls(f"{given} processes", lambda: _processes(given), reopens=True)


@contextmanager
def _processes(count: int) -> Iterator[Opened]:
    # Forked processes of a program that has used torch's or OpenCV's threads can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, initializer=_start_worker)
    try:
        yield Opened.of(pool, count)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start_worker() -> None:
    """Set up a worker process: one thread of each library, and an end when the parent ends.

    A parent that is killed can't tell its workers; they would wait for work for ever.
    """
    # Read by libraries that are not loaded yet; for those that are, whoever uses them asks for it.
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


#: What does work is said by: so many processes, an executor, or one with what is known of it.
AnyWorkers = int | Executor | Workers


@dataclass(frozen=True)
class Lost:
    """Instead of a result: the item killed its worker, and the one that tried it again."""

    reason: str


@dataclass(frozen=True)
class _Piece:
    """Items that a worker is given together, by their places; `again` where a worker died of them before."""

    places: tuple[int, ...]
    again: bool = False


def finished(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: AnyWorkers = 1,
    *,
    together: int = 16,
) -> Iterator[tuple[int, Result | Lost]]:
    """Call a function with every item, and give the results as they come.

    Args:
        function: a picklable one; its first error ends the work.
        items: picklable unless there is one worker.
        workers: processes (one works here, without another process), or an executor.
        together: items that a worker gets and answers at once, at most, unless that costs time.

    Yields:
        the place of an item, and what the function made of it, or why there is nothing.

    Raises:
        ExecutorError: the executor can't be reached, or all of its workers die.
    """
    if not items or workers == 1 or (isinstance(workers, int) and len(items) == 1):
        yield from ((place, function(item)) for place, item in enumerate(items))
        return
    count = min(workers, len(items)) if isinstance(workers, int) else workers
    yield from _Spread(function, items, Workers.of(count), together).results()


class _Spread(Generic[Item, Result]):
    """The state of one call of `finished`."""

    def __init__(
        self, function: Callable[[Item], Result], items: Sequence[Item], workers: Workers, together: int
    ) -> None:
        self._function, self._items, self._workers = function, items, workers
        self._together = together
        self._todo: deque[_Piece] = deque()
        #: One of them kills workers; which one shows when each runs alone.
        self._suspects: deque[_Piece] = deque()
        self._under_way: dict[Future[tuple[list[Result], Exception | None]], _Piece] = {}
        self._deaths, self._any_result = 0, False

    def results(self) -> Iterator[tuple[int, Result | Lost]]:
        begun = False
        try:
            while not begun or self._todo or self._suspects:
                with self._workers.open() as opened:
                    if not begun:
                        self._todo.extend(self._pieces(opened))
                        begun = True
                    yield from self._until_it_breaks(opened)
        finally:
            for future in self._under_way:
                future.cancel()

    def _pieces(self, opened: Opened) -> Iterator[_Piece]:
        size = max(1, len(self._items) // opened.pieces)
        size = size if opened.costly else min(size, self._together)
        for start in range(0, len(self._items), size):
            yield _Piece(tuple(range(start, min(start + size, len(self._items)))))

    def _until_it_breaks(self, opened: Opened) -> Iterator[tuple[int, Result | Lost]]:
        broken = False
        while self._under_way or (not broken and (self._todo or self._suspects)):
            broken = broken or not self._hand_over(opened)
            for future in wait(self._under_way, return_when=FIRST_COMPLETED).done:
                piece = self._under_way.pop(future)
                try:
                    results, error = future.result()
                except BrokenExecutor as death:
                    self._require_another(death)
                    # All that was under way is lost with the one; it is one death.
                    yield from self._died(piece, self._suspects, "its worker was killed", counts=not broken)
                    broken = True
                except self._workers.deaths as death:
                    queue = self._todo if self._workers.sure else self._suspects
                    yield from self._died(piece, queue, str(death).split(". ")[0] or "its worker was killed")
                except (Exception, CancelledError) as trouble:
                    raise self._failed(trouble) from trouble
                else:
                    self._deaths, self._any_result = 0, True
                    yield from zip(piece.places, results, strict=False)
                    if error is not None:
                        raise error

    def _hand_over(self, opened: Opened) -> bool:
        """Give the executor what it has room for; False where it is broken."""
        queue, room = (self._suspects, 1) if self._suspects else (self._todo, opened.ahead)
        while queue and len(self._under_way) < room:
            items = [self._items[place] for place in queue[0].places]
            try:
                future = opened.executor.submit(_work, self._function, items)
            except BrokenExecutor as death:
                self._require_another(death)
                return False
            except Exception as trouble:
                raise self._failed(trouble) from trouble
            self._under_way[future] = queue.popleft()
        return True

    def _require_another(self, death: BrokenExecutor) -> None:
        if not self._workers.reopens:
            raise ExecutorError(
                f"{self._workers.name} lost a worker and takes no more work ({death}); {_KEPT}"
            ) from death

    def _failed(self, trouble: BaseException) -> ExecutorError:
        """Errors of the function come as values, so this is one of the executor."""
        lost = isinstance(trouble, CancelledError)
        said = "it does not answer any more" if lost else f"{type(trouble).__name__}: {trouble}"
        return ExecutorError(f"{self._workers.name} failed ({said}); {_KEPT}")

    def _died(
        self, piece: _Piece, queue: deque[_Piece], reason: str, *, counts: bool = True
    ) -> Iterator[tuple[int, Lost]]:
        """Queue a piece again, in halves once it is a suspect; an item that is one alone is given up."""
        self._deaths += counts
        if self._deaths >= (_IN_A_ROW if self._any_result else _FROM_THE_START):
            raise ExecutorError(
                f"{self._workers.name}: workers die of whatever they are given (out of memory, or a data set "
                f"whose functions no other process can import): {reason}; {_KEPT}, with fewer workers"
            )
        half = len(piece.places) // 2
        if not piece.again:
            queue.append(replace(piece, again=True))
        elif half:
            queue.extend((_Piece(piece.places[:half], True), _Piece(piece.places[half:], True)))
        else:
            yield piece.places[0], Lost(f"a worker died of it, twice ({reason})")


def _work(function: Callable[[Item], Result], items: Sequence[Item]) -> tuple[list[Result], Exception | None]:
    """In a worker: the results up to the first error, which travels as a value that no executor wraps."""
    results = []
    for item in items:
        try:
            results.append(function(item))
        except Exception as error:
            return results, error
    return results, None
