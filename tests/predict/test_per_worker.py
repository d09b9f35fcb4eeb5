"""What workers make once: for each run and thread, and never in the luggage."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from ultrasam.predict.per_worker import PerWorker


class Model:
    made = 0

    def __init__(self):
        Model.made += 1

    def __reduce__(self):
        raise TypeError("a model does not travel")


def test_each_run_and_thread_makes_its_own_once():
    here = Model()
    kept = PerWorker(Model, here)
    assert kept.get() is here
    both = Barrier(2)

    def twice(which):
        both.wait(20)
        return which.get(), which.get()

    with ThreadPoolExecutor(2) as threads:
        before = Model.made
        (a, b), (c, d) = threads.map(twice, [kept, kept])
        assert a is b and c is d and a is not c and here not in (a, c) and Model.made == before + 2
        (e, f), _ = threads.map(twice, [PerWorker(Model)] * 2)
        assert e is f and e not in (a, c), "another run may mean other files"
    there = pickle.loads(pickle.dumps(kept))
    assert isinstance(there.get(), Model) and there.get() is there.get()
