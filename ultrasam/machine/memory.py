"""Advice where memory runs out, of a GPU or of the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ultrasam.errors import UltraSamError

#: In the messages of PyTorch's allocators, for GPUs and for the machine's memory.
_SIGNS = ("out of memory", "allocate memory")


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
        if not isinstance(error, MemoryError) and not any(sign in text for sign in _SIGNS):
            raise
        raise UltraSamError(
            f"out of memory ({(str(error) or 'MemoryError').splitlines()[0]}). What helps, in this order: "
            + "; ".join(filter(None, remedies))
        ) from error
