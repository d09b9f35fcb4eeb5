"""Tasks done by several threads, with their results in the order of the tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_order(tasks: Iterable[Callable[[], T]], workers: int) -> Generator[T, None, None]:
    """The results of tasks, in their order.

    Tasks are taken as there is room for them: besides those that run, no more than ``workers`` wait for their
    turn or have a result that is not asked for yet. With one worker, each runs in the thread that asks.

    What a task raises is raised where its result would be. Then, or when the iterator is closed, those that
    have not begun are dropped, and those that run are waited for.

    Args:
        tasks: they are taken in the thread that asks for results.
        workers: threads, at least 1.
    """
    if workers == 1:
        for task in tasks:
            yield task()
        return
    taken: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(workers, "in-order")
    try:
        for task in tasks:
            taken.append(pool.submit(task))
            while taken and (len(taken) >= 2 * workers or taken[0].done()):
                yield taken.popleft().result()
        while taken:
            yield taken.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
