"""Work for executors, in a module that imports next to nothing: worker processes start quickly."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(number: int) -> int:
    if number == -1:
        raise ValueError("no square on purpose")
    return number * number


def deadly(item: tuple[int, str]) -> int:
    """Kills its process: always for 5, the first time for 8, which a file in the folder notes."""
    number, folder = item
    first = Path(folder) / "died"
    if number == 5 or (number == 8 and not first.exists()):
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def always(number: int) -> int:
    os._exit(1)


def slow(number: int) -> int:
    time.sleep(0.3)
    return number * number
