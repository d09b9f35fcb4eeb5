"""What a worker makes once and keeps for all pieces of a run that it gets: a model, say."""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ultrasam.machine import threads

T = TypeVar("T")

_HERE = threading.local()


class PerWorker(Generic[T]):
    """Travels to workers as how the thing is made; each thread that works makes its own.

    Args:
        make: picklable.
        made: the thing, for work in the thread that has it already.
    """

    def __init__(self, make: Callable[[], T], made: T | None = None) -> None:
        # Another run may mean other files of the same names.
        self._make, self._run = make, uuid.uuid4().hex
        self._made, self._owner = made, threading.get_ident()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made": None}

    def get(self) -> T:
        """The thing, made now or for an earlier piece of the run."""
        if self._made is not None and threading.get_ident() == self._owner:
            return self._made
        if getattr(_HERE, "run", None) != self._run:
            _HERE.run = _HERE.made = None
            made = self._make()
            _share_cores()
            _HERE.run, _HERE.made = self._run, made
        return _HERE.made


def _share_cores() -> None:
    """PyTorch computes with as many threads as this process should have, whoever started it."""
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads.wanted())
