"""A grid of tokens in windows, and back.

Windows that reach beyond the right or the bottom of the grid are filled up with blank tokens. Where no graph
is recorded, this too is one copy of each token.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from ultrasam.modeling.kernels.products import is_cpu_inference

Size = tuple[int, int]


def window_partition(x: Tensor, side: Size, blank: Tensor) -> Tensor:
    """(B, h, w, C) -> (B * windows, side_h, side_w, C).

    Args:
        x: the grid.
        side: of a window, in tokens.
        blank: the token (C,) to fill up with.
    """
    b, h, w, c = x.shape
    high, wide = _filled(h, side[0]), _filled(w, side[1])
    whole = (high, wide) == (h, w)
    if not whole and is_cpu_inference(x):
        windows = x.new_empty(b, high // side[0], wide // side[1], *side, c)
        for window, part in _pairs(windows, x):
            if part.shape != window.shape:
                window.copy_(blank)
            window[:, : part.shape[1], : part.shape[2]] = part
        return windows.flatten(0, 2)
    if not whole:
        right, below = blank.expand(b, h, wide - w, c), blank.expand(b, high - h, wide, c)
        x = torch.cat([torch.cat([x, right], dim=2), below], dim=1)
    x = x.reshape(b, high // side[0], side[0], wide // side[1], side[1], c)
    return x.transpose(2, 3).reshape(-1, *side, c)


def window_unpartition(windows: Tensor, size: Size) -> Tensor:
    """What of windows (B * windows, side_h, side_w, C) lies in a grid (h, w): (B, h, w, C)."""
    _, side_h, side_w, c = windows.shape
    h, w = size
    high, wide = _filled(h, side_h), _filled(w, side_w)
    x = windows.reshape(-1, high // side_h, wide // side_w, side_h, side_w, c)
    if (high, wide) != (h, w) and is_cpu_inference(x):
        grid = x.new_empty(len(x), h, w, c)
        for window, part in _pairs(x, grid):
            part.copy_(window[:, : part.shape[1], : part.shape[2]])
        return grid
    return x.transpose(2, 3).reshape(-1, high, wide, c)[:, :h, :w]


def _filled(length: int, side: int) -> int:
    """The next multiple; said so because exported graphs round divisions towards zero."""
    return length + -length % side


def _pairs(windows: Tensor, grid: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each window of (B, rows, columns, side_h, side_w, C), and its part of a grid (B, h, w, C)."""
    high, wide = windows.shape[3:5]
    for i, j in product(range(windows.shape[1]), range(windows.shape[2])):
        yield windows[:, i, j], grid[:, i * high : (i + 1) * high, j * wide : (j + 1) * wide]
