"""Advice where memory runs out, of a GPU or of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ultrasam.errors import UltraSamError

#: In the messages of PyTorch's allocators, for GPUs and for the machine's memory.
_SIGNS = ("out of memory", "allocate memory")
#: In PyTorch's messages about workers of a data loader.
_WORKER = re.compile(r"dataloader worker \(pids?.*\) (is killed by signal: killed|exited unexpectedly)")


@contextmanager
def memory_advice(remedies: Sequence[str]) -> Iterator[None]:
    """Say what helps where the memory does not suffice.

    Args:
        remedies: what to try, the best first; empty ones are left out.

    Raises:
        UltraSamError: in place of PyTorch's and Python's own errors.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error).lower()
        if _WORKER.search(text):
            # The system's own remedy against too little memory, as a rule.
            raise UltraSamError(
                f"a process that loads images was killed ({str(error).splitlines()[0]}), as the system does "
                "when memory runs out. What helps, in this order: fewer workers (for a training or test: "
                "--cfg-options train_dataloader.num_workers=1), " + "; ".join(filter(None, remedies))
            ) from error
        if not isinstance(error, MemoryError) and not any(sign in text for sign in _SIGNS):
            raise
        raise UltraSamError(
            f"out of memory ({(str(error) or 'MemoryError').splitlines()[0]}). What helps, in this order: "
            + "; ".join(filter(None, remedies))
        ) from error
