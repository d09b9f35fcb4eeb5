"""Work on many files over processes or any executor, as the converters' engine does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

from ultrasam.converters.engine.executors import KINDS, from_option
from ultrasam.converters.engine.workers import AnyWorkers, Lost, finished
from ultrasam.errors import UltraSamError

__all__ = ["KINDS", "AnyWorkers", "Lost", "each_done", "finished", "from_option"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_done(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: AnyWorkers,
    *,
    verb: str,
    unit: str,
    name: Callable[[int], object],
) -> Iterator[tuple[int, Result]]:
    """Call a function with every item, and give the results as they come, under a progress bar.

    Args:
        function: a picklable one.
        items: picklable unless there is one worker.
        workers: processes, or an executor.
        verb: what is done, for the bar.
        unit: what an item is.
        name: of the item at a place, for messages.

    Yields:
        the place of an item, and its result.

    Raises:
        UltraSamError: items killed their workers; it comes after all others, and names them.
    """
    made = finished(function, items, workers, together=1)
    lost = []
    for place, result in tqdm(made, verb, len(items), unit=unit, disable=not items):
        if isinstance(result, Lost):
            lost.append(f"{name(place)}: {result.reason}")
        else:
            yield place, result
    if lost:
        raise UltraSamError("\n".join(lost) + f"\nall other {unit}s are done and kept")
