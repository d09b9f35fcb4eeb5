"""Long work of a session, step by step: masks of everything, and objects carried through a clip."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ultrasam.annotate.propagating import Propagating
from ultrasam.annotate.session import Session
from ultrasam.annotate.suggesting import Suggesting
from ultrasam.errors import DataError

#: ``{"done": steps, "total": steps, "frame": the frame that has changed, or None}``.
Step = dict[str, Any]


class Jobs:
    """The long work of a session; one job for each item at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: dict[int, threading.Event] = {}
        self._lock = threading.Lock()

    def stop(self, item: int) -> None:
        """End the work on an item after its present step."""
        with self._lock:
            if item in self._running:
                self._running[item].set()

    def automatic(self, item: int, frame: int, options: Mapping[str, Any]) -> Iterator[Step]:
        """Find everything in a frame; what is found is suggested, in one step that can be undone.

        The last step says as ``left_out`` how many objects had no pixel.

        Args:
            item: number of the image.
            frame: of a clip, 0 for a single image.
            options: see `Suggesting`.

        Raises:
            UltraSamError: options make no sense, or another job works on the item.
        """
        yield from self._alone(item, Suggesting(self._session, item, frame, options).steps)

    def propagate(self, item: int, options: Mapping[str, Any]) -> Iterator[Step]:
        """Carry objects of a frame to others, up to the next one in which the object was corrected.

        Args:
            item: number of the clip.
            options: see `Propagating`.

        Raises:
            UltraSamError: options make no sense, or another job works on the item.
        """
        yield from self._alone(item, Propagating(self._session, item, options).steps)

    def _alone(self, item: int, work: Callable[[threading.Event], Iterator[Step]]) -> Iterator[Step]:
        with self._lock:
            if item in self._running:
                raise DataError("work on this image is going on already: stop it first")
            stop = self._running[item] = threading.Event()
        try:
            yield from work(stop)
        finally:
            with self._lock:
                self._running.pop(item, None)
