"""Masks in one piece within a graph: what `ultrasam.predict.cleanup` does, by floods.

A graph knows no pieces, but what can be reached: a flood goes along all runs of a row that it touches at
once, then of a column. Blobs are full after a few rounds.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.types import NEGATIVE, POSITIVE

#: Rounds of a flood, each along rows and columns.
_ROUNDS = 12
#: Side of the window in which the largest piece fills most.
_WINDOW = 25


def cleaned(logits: Tensor, points: Tensor, labels: Tensor, value: float) -> Tensor:
    """Logits (1, 1, H, W) of the pieces that were clicked, else of the largest, without holes.

    Args:
        logits: of a mask.
        points: (1, K, 2) in continuous pixels.
        labels: (1, K).
        value: logit of what is closed, and the negative of what is left out.
    """
    mask = logits[0, 0] > 0
    kept = _pieces(mask, _at(points, labels == POSITIVE, mask))
    # Nothing that the border or a negative click is joined to is a hole.
    open_ = F.pad(torch.zeros_like(mask[1:-1, 1:-1]).float(), (1, 1, 1, 1), value=1.0) > 0
    seeds = (open_ | _at(points, labels == NEGATIVE, mask)) & ~kept
    closed = ~_flooded(~kept, seeds, corners=False)
    out = torch.where(closed, logits, torch.full_like(logits, -value))
    return torch.where(closed & ~mask, torch.full_like(logits, value), out)


def _pieces(mask: Tensor, clicked: Tensor) -> Tensor:
    """The pieces of a mask (H, W) that were clicked, or the one that fills a window best."""
    clicked = clicked & mask
    fill = F.avg_pool2d(mask.float()[None, None], _WINDOW, 1, _WINDOW // 2)[0, 0] * mask.float()
    best = (fill == fill.max()) & mask
    return _flooded(mask, clicked | (best & ~clicked.any()), corners=True)


def _at(points: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """The pixels (H, W) that the wanted of some points (1, K, 2) lie in."""
    cells = torch.floor(points[0])
    height, width = torch._shape_as_tensor(mask).unbind()
    rows = (cells[:, 1:] == _count(height)[None]).float() * wanted[0][:, None].float()
    columns = (cells[:, :1] == _count(width)[None]).float()
    return rows.transpose(0, 1) @ columns > 0


def _flooded(mask: Tensor, seeds: Tensor, corners: bool) -> Tensor:
    """What of a mask (H, W) is joined to seeds within it; at corners too, if wanted."""
    down, across = _runs(mask, 0), _runs(mask, 1)
    for _ in range(_ROUNDS):
        seeds = _along(_along(seeds, across) & mask, down) & mask
        if corners:
            seeds = (F.max_pool2d(seeds.float()[None, None], 3, 1, 1)[0, 0] > 0) & mask
    return seeds


def _runs(mask: Tensor, dim: int) -> Tensor:
    """A number (H, W) for each run along a dimension, the same for all of its pixels."""
    height, width = torch._shape_as_tensor(mask).unbind()
    lines = _count(width)[None] if dim == 0 else _count(height)[:, None]
    # Each line has room for as many runs as it has pixels, and one.
    room = (height if dim == 0 else width) + 1
    return (~mask).float().cumsum(dim).long() + lines.long() * room


def _along(seeds: Tensor, runs: Tensor) -> Tensor:
    """Every pixel of the runs that hold a seed; and others, which are no part of the mask."""
    room: Any = tuple((runs.max() + 1).reshape(1).unbind())
    found = torch.zeros(room).scatter_add(0, runs.flatten(), seeds.float().flatten())
    return found[runs] > 0


def _count(number: Tensor) -> Tensor:
    """0, 1, 2, ... as float32."""
    sides: Any = tuple(number.reshape(1).unbind())
    return torch.ones(sides).cumsum(0) - 1
