"""A request to stop, as queues send it before a kill: work ends where one can go on from."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: SIGTERM comes before a kill; SIGUSR1 is what SLURM's ``--signal=USR1@120`` sends two minutes earlier.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1) if hasattr(signal, "SIGUSR1") else (signal.SIGTERM,)

_received: str | None = None


@contextmanager
def on_request() -> Iterator[None]:
    """Within, the signals only leave a note for `requested`; they kill again afterwards.

    Threads other than the main one can't take signals; there, nothing changes.
    """
    global _received
    _received = None
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _received = None


def requested() -> str | None:
    """The name of the signal that came, such as ``SIGTERM``; None while none has come."""
    return _received


def ignore() -> None:
    """Be deaf to the signals, in a worker: a queue sends them to every process, and the first one decides."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _note(number: int, _frame: FrameType | None) -> None:
    global _received
    _received = signal.Signals(number).name
