"""Images and what was made of them, kept up to a number of bytes; for any number of threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from ultrasam.predict.encoded import Encoded

Value = TypeVar("Value")


class Lru(Generic[Value]):
    """Values up to a number of bytes, but for the last one, which is always kept; threads may share it."""

    def __init__(self, max_bytes: int) -> None:
        self._max, self._bytes, self._lock = max_bytes, 0, threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """The value of a key, if it is still there."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._values

    def __len__(self) -> int:
        with self._lock:
            return len(self._values)

    @property
    def bytes(self) -> int:
        """What all of them take."""
        with self._lock:
            return self._bytes

    def drop(self, key: Hashable) -> bool:
        """Forget a value; whether it was there."""
        with self._lock:
            value = self._values.pop(key, None)
            self._bytes -= value[1] if value else 0
            return value is not None

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Keep a value of so many bytes."""
        with self._lock:
            self._bytes += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = (value, size)
            while self._bytes > self._max and len(self._values) > 1:
                self._bytes -= self._values.popitem(last=False)[1][1]


class KeptImages:
    """Encoded images; each is made once, however many ask for it at the same time.

    Args:
        max_bytes: of embeddings and pixels.
    """

    def __init__(self, max_bytes: int) -> None:
        self._kept: Lru[Encoded] = Lru(max_bytes)
        self._running: dict[Hashable, Future[Encoded]] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def drop(self, key: Hashable) -> None:
        """Forget an image."""
        self._kept.drop(key)

    def get(self, key: Hashable, make: Callable[[], Encoded]) -> Encoded:
        """The encoded image of a key; what ``make`` raises is raised for all that wait for it."""
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        with self._lock:
            running = self._running.get(key)
            mine: Future[Encoded] | None = None
            if running is None:
                mine = self._running[key] = Future()
        if mine is None:
            assert running is not None
            return running.result()
        try:
            encoded = make()
            size = encoded.features.nbytes + sum(image.nbytes for image in encoded.images or ())
            self._kept.put(key, encoded, size)
            mine.set_result(encoded)
            return encoded
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._running[key]
