"""One conversion at a time into a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from .errors import ConverterError


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for as long as the block runs; the lock ends with the process, however that ends.

    Raises:
        ConverterError: Another process, or another thread, holds it, or its parent cannot be written to.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConverterError(f"cannot write to {folder.parent}: {error.strerror or error}") from error
    lock = filelock.FileLock(folder.with_name(f".{folder.name}.lock"), is_singleton=False)
    with contextlib.ExitStack() as held:
        # File systems that cannot lock exist; there, people have to look after it themselves.
        with contextlib.suppress(OSError, NotImplementedError):
            try:
                held.enter_context(lock.acquire(timeout=0))
            except filelock.Timeout as error:
                raise ConverterError(
                    f"another conversion into {folder} is running: wait for its end, or choose another --out"
                ) from error
        yield
