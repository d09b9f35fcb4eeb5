"""A request to stop, as queues send it before a kill: work ends where one can go on from."""

from __future__ import annotations

import os
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


def leave_to_parent() -> None:
    """In a worker process: a queue signals every process, but only the parent ends its workers."""
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS, which has no such queues
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def _note(number: int, _frame: FrameType | None) -> None:
    global _received
    _received = signal.Signals(number).name
