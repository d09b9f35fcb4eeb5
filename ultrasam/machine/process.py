"""Settings of the whole process, which only a program may choose, never a library on import."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_LARGEST = 2**31 - 1
#: More threads than any machine runs: OpenMP ends the process where it can't have as many as it is told.
MOST_THREADS = 4096


def keep_memory() -> bool:
    """Let the process keep the memory that it frees, instead of giving it back and asking for it again.

    glibc maps every large tensor anew, and the kernel clears its pages, which took up to a third of the time
    of a network's inference on a CPU. Results do not change. The process stays at the size of its peak.
    Command line tools call this; it is for the CPU and does nothing for a GPU.

    Returns:
        whether it could be set: on Linux with glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        logger.info("the allocator stays as it is: this system's C library is not glibc")
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST))


def leaving_on_sigterm() -> contextlib.AbstractContextManager[None]:
    """Let SIGTERM, which schedulers send, leave the block as `sys.exit` does: what is done can be written."""
    return on_sigterm(lambda number, frame: sys.exit(128 + number))


@contextlib.contextmanager
def on_sigterm(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Handle SIGTERM so within the block."""
    try:
        before = signal.signal(signal.SIGTERM, handler)
    except ValueError:
        # Signals belong to the main thread; a program that runs a command in another one handles them itself.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
