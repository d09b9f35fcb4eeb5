"""A file is the old one or the new one, never half of it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """A temporary path in the folder of `path`, whose place it takes when the block ends well.

    Where the block or the renaming fails, `path` stays as it was and nothing is left behind. Its name ends in
    `.part` and holds the numbers of process and thread, so that several may write the same file.

    Args:
        path: The file to write; its folder has to be there.
        sync: Have it on the disk before it takes the place: a power cut leaves the old file too.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}.part")
    try:
        yield part
        if sync:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
