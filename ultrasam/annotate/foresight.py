"""The click that may follow where the cursor rests, answered before it is made.

Whoever clicks has looked first: the cursor stands still for a moment. A closer view of that place takes as
long as this moment, so the answer is often there when the click comes. It is the same answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from ultrasam.annotate.edits import Answer
from ultrasam.annotate.objects import Prompt
from ultrasam.predict.encoded import Encoded

#: Seconds of rest before the work begins.
_REST = 0.04
#: Where an answer takes longer, nobody's clicks shall wait for one that nobody wanted.
_LONGEST = 0.5


@dataclass
class _Foreseen:
    encoded: Encoded
    prompt: Prompt
    given_up: threading.Event = field(default_factory=threading.Event)
    begun: bool = False
    future: Future[Answer | None] | None = None


class Foresight:
    """Answers prompts, and one of them ahead.

    Args:
        answer: what a prompt on an encoded image means.
    """

    def __init__(self, answer: Callable[[Encoded, Prompt], Answer]) -> None:
        self._answer = answer
        self._pool = ThreadPoolExecutor(1, "foresee")
        self._lock = threading.Lock()
        self._newest: _Foreseen | None = None
        self._took = 0.0

    def rests(self, encoded: Encoded, prompt: Prompt) -> None:
        """The cursor is where this prompt would be; what was foreseen before is given up."""
        with self._lock:
            if self._newest is not None:
                self._newest.given_up.set()
            self._newest = None
            if self._took <= _LONGEST:
                self._newest = foreseen = _Foreseen(encoded, prompt)
                foreseen.future = self._pool.submit(self._work, foreseen)

    def _work(self, foreseen: _Foreseen) -> Answer | None:
        if foreseen.given_up.wait(_REST):
            return None
        with self._lock:
            if foreseen.given_up.is_set():
                return None
            foreseen.begun = True
        begun = time.monotonic()
        found = self._answer(foreseen.encoded, foreseen.prompt)
        self._took = time.monotonic() - begun
        return found

    def answer(self, encoded: Encoded, prompt: Prompt) -> Answer:
        """What a prompt means: foreseen, or found out now."""
        with self._lock:
            newest = self._newest
            if newest is not None and not newest.begun:
                newest.given_up.set()
        if newest is not None and newest.begun and newest.encoded is encoded and newest.prompt == prompt:
            assert newest.future is not None
            found = newest.future.result()
            if found is not None:
                return found
        return self._answer(encoded, prompt)

    def close(self) -> None:
        """Foresee nothing more."""
        self._pool.shutdown(cancel_futures=True)
