"""Some tokens at a time: what a layer makes in between is never there all at once. For inference on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ultrasam.modeling.kernels.products import is_cpu_inference

#: Tokens that are handled together.
TOKENS_TOGETHER = 512


def by_tokens(work: Callable[[Tensor], Tensor], x: Tensor, spent: bool = False) -> Tensor:
    """``work(x)`` for what sees each token by itself, (..., C) -> (..., C).

    Args:
        work: what is done.
        x: the tokens.
        spent: ``x`` is not needed any more, and the answer may take its place.
    """
    rows = x.flatten(0, -2)
    if not is_cpu_inference(x) or len(rows) <= TOKENS_TOGETHER:
        return work(x)
    return _in_parts(work, rows, TOKENS_TOGETHER, dim=0, spent=spent).view(x.shape)


def by_window_rows(work: Callable[[Tensor], Tensor], x: Tensor, window: int) -> Tensor:
    """``work(x)`` for what sees each window by itself, (B, h, w, C) -> (B, h, w, C); 0 is no window."""
    if not window or not is_cpu_inference(x):
        return work(x)
    b, h, w, _ = x.shape
    band = window * max(1, TOKENS_TOGETHER // (window * b * w))
    return work(x) if band >= h else _in_parts(work, x, band, dim=1)


def _in_parts(
    work: Callable[[Tensor], Tensor], x: Tensor, size: int, dim: int, spent: bool = False
) -> Tensor:
    """``size`` entries of an axis at a time, each result to its place at once.

    Parts that wait to be joined leave holes in the process's memory.
    """
    out = x if spent else torch.empty_like(x, memory_format=torch.contiguous_format)
    for part, place in zip(x.split(size, dim), out.split(size, dim), strict=True):
        place.copy_(work(part))
    return out
