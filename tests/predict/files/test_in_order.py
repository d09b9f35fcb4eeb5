"""Tasks of several threads: the order of their results, how far they run ahead, errors and early ends."""

import threading
import time
from functools import partial

import pytest

from ultrasam.predict.files.in_order import in_order


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_tasks(workers):
    def work(number):
        time.sleep(0.01 * ((number * 7) % 3))
        return number

    assert list(in_order((partial(work, n) for n in range(20)), workers)) == list(range(20))


def test_work_is_done_at_the_same_time():
    # Passed only by three that stand here together.
    barrier = threading.Barrier(3, timeout=10)
    assert len(list(in_order([barrier.wait] * 3, 3))) == 3


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_more_is_taken_than_there_is_room_for(workers):
    taken = []

    def tasks():
        for number in range(30):
            taken.append(number)
            yield lambda: None

    for done, _ in enumerate(in_order(tasks(), workers), start=1):
        time.sleep(0.001)
        assert len(taken) <= done + (0 if workers == 1 else 2 * workers)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_comes_in_its_turn_and_ends_all(workers):
    begun = []

    def work(number):
        begun.append(number)
        if number == 4:
            raise ValueError(number)
        time.sleep(0.01)
        return number

    found, threads = [], threading.active_count()
    with pytest.raises(ValueError, match="4"):
        found.extend(in_order((partial(work, n) for n in range(99)), workers))
    assert found == [0, 1, 2, 3] and max(begun) < 4 + 2 * workers
    assert threading.active_count() == threads


def test_closed_early_it_waits_for_what_runs_and_drops_the_rest():
    ended = []

    def work(number):
        time.sleep(0.02)
        ended.append(number)
        return number

    results = in_order((partial(work, n) for n in range(99)), 2)
    assert next(results) == 0
    results.close()
    count = len(ended)
    time.sleep(0.06)
    assert len(ended) == count <= 5
