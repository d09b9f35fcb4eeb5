"""Work over processes and any executor: what is done again, what is given up, what ends it."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest
from ultrasam.converters import ConverterError, convert
from ultrasam.converters.engine.errors import ExecutorError
from ultrasam.converters.engine.workers import Lost, finished

from tests.converters.test_run import outputs
from tests.kit.pieces import always, deadly, square
from tests.kit.toy import COUNT, deadly_toy, toy


def test_a_worker_that_dies_loses_nothing_and_what_kills_two_is_given_up(tmp_path):
    found = dict(finished(deadly, [(n, str(tmp_path)) for n in range(20)], 2, together=4))
    assert (tmp_path / "died").exists()
    lost = found.pop(5)
    assert isinstance(lost, Lost) and "killed" in lost.reason
    assert found == {n: n * n for n in range(20) if n != 5}


def test_a_case_that_kills_is_named_and_the_others_are_converted(tmp_path):
    convert(toy(), None, tmp_path / "whole")
    report = convert(deadly_toy(tmp_path), None, tmp_path / "out", workers=2)
    assert sorted(f["key"] for f in report.failures) == ["006", "007"]
    (killed,) = (f for f in report.failures if f["key"] == "007")
    assert killed["file"] == "007" and killed["reason"].startswith("a worker died of it, twice")
    images = {n: d for n, d in outputs(tmp_path / "out").items() if n.endswith(".png")}
    whole = {n: d for n, d in outputs(tmp_path / "whole").items() if n.endswith(".png")}
    assert whole.keys() - images.keys() == {"toy/images/007.png"} and images.items() <= whole.items()
    again = convert(deadly_toy(tmp_path), None, tmp_path / "out", workers=2)
    assert again.resumed == COUNT - 2 and [f["key"] for f in again.failures] == ["006", "007"]


def test_workers_that_always_die_end_the_work():
    with pytest.raises(ExecutorError, match="2 processes: workers die of whatever they are given"):
        list(finished(always, range(100), 2))


def test_an_executor_that_broke_is_named():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with pytest.raises(ExecutorError, match="the ProcessPoolExecutor lost a worker and takes no more"):
            list(finished(always, range(3), pool))
        with pytest.raises(ExecutorError, match="takes no more work .* what is done is kept"):
            list(finished(square, range(3), pool))


def test_an_error_of_the_work_ends_it_after_what_was_done_before():
    with ThreadPoolExecutor(1) as threads:
        found = []
        with pytest.raises(ValueError, match="on purpose"):
            for place, value in finished(square, [*range(8), -1, *range(100)], threads):
                found.append((place, value))
        assert dict(found).items() >= {n: n * n for n in range(8)}.items()


@pytest.mark.parametrize("items", [[], [3], [1, 2, 3]])
def test_few_items(items):
    with ThreadPoolExecutor(3) as threads:
        for workers in (1, threads):
            assert dict(finished(square, items, workers)) == {i: n * n for i, n in enumerate(items)}


def test_an_executor_gets_no_more_than_it_has_room_for_and_what_waits_is_canceled():
    asked, go_on = threading.Semaphore(0), threading.Event()

    def work(number):
        asked.release()
        assert go_on.wait(20)
        return number

    given: list[Future] = []

    class Counting(ThreadPoolExecutor):
        def submit(self, *args):
            given.append(super().submit(*args))
            return given[-1]

    with Counting(2) as threads:
        running = finished(work, range(10_000), threads)
        thread = threading.Thread(target=lambda: next(running))
        thread.start()
        assert asked.acquire(timeout=20)
        go_on.set()
        thread.join()
        assert len(given) < 100
        running.close()
        assert all(f.done() or f.running() for f in given)


def test_any_executor_converts_to_the_same_bytes(tmp_path, monkeypatch):
    """From another folder too: names are absolute by then."""
    monkeypatch.chdir(tmp_path)
    convert(toy(), None, tmp_path / "one")
    with ThreadPoolExecutor(3) as threads:
        report = convert(toy(), None, tmp_path / "many", workers=threads)
    assert report.images == COUNT - 2 and outputs(tmp_path / "one") == outputs(tmp_path / "many")


@pytest.mark.parametrize("workers", [0, -2])
def test_no_workers(workers, tmp_path):
    with pytest.raises(ConverterError, match=f"a number from 1, not {workers}"):
        convert(toy(), None, tmp_path, workers=workers)


class Unwilling(Executor):
    def submit(self, *args):
        raise OSError("the network is down")


def test_an_executor_that_fails_is_named():
    with pytest.raises(ExecutorError, match=r"the Unwilling failed \(OSError: the network is down\)"):
        list(finished(square, range(3), Unwilling()))
