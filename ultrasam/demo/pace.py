"""Which arithmetic is quick on this machine."""

from __future__ import annotations

import time

import torch

#: Tokens and channels of the demo's network.
_SHAPE = (1024, 192, 768)


def bfloat16_pays(repeats: int = 7) -> bool:
    """Whether a product in bfloat16 takes less than 0.8 of its time in float32 on this CPU.

    Measured and not looked up: what a CPU can do may be switched off, and is imitated at a snail's pace then.
    """
    rows, inner, columns = _SHAPE
    left, right = torch.randn(rows, inner), torch.randn(inner, columns)
    times = {
        dtype: _seconds(left.to(dtype), right.to(dtype), repeats) for dtype in (torch.bfloat16, torch.float32)
    }
    return times[torch.bfloat16] < 0.8 * times[torch.float32]


def _seconds(left: torch.Tensor, right: torch.Tensor, repeats: int) -> float:
    """The least time of a product, which other work on the machine disturbs least."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return best
