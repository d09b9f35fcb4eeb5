"""OpenCV's bilinear resize within a graph, to the bit.

`Predictor` resizes with it. It counts in fixed point, with weights of 11 bits, so that one pixel in eight is
a gray level off what floating point gives: enough to decide between two masks that are about as likely.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: What a weight of 1 is.
_ONE = 2048.0


def resize(picture: Tensor, sides: Tensor) -> Tensor:
    """``cv2.resize`` of a picture (1, C, H, W) of whole numbers in 0..255 to sides (2,), float32.

    As ``HResizeLinear`` and ``VResizeLinear`` of OpenCV's ``resize.cpp`` do it for 8 bits.
    """
    # Rows of one number: one alone would become float32 in a graph.
    height, width = torch._shape_as_tensor(picture)[2:].split(1)
    x, share = _places(width, sides[1:])
    # Beyond the outermost columns there is nothing to mix in; beyond the rows it is the last one again.
    share = torch.where((x < 0) | (x >= width - 1), torch.zeros_like(share), share)
    left, right = _weights(share)
    values = picture.double()
    across = values[..., _within(x, width)] * left + values[..., _within(x + 1, width)] * right
    y, share = _places(height, sides[:1])
    above, below = (weight[:, None] for weight in _weights(share))
    across = torch.floor(across / 16)
    mixed = torch.floor(across[:, :, _within(y, height)] * above / 65536)
    mixed = mixed + torch.floor(across[:, :, _within(y + 1, height)] * below / 65536)
    return torch.floor((mixed + 2) / 4).float()


def _places(old: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    """For each of the new places the old one before it, (n,), and how far it is beyond that."""
    count: Any = tuple(new.unbind())
    scale = 1 / (new.double() / old.double())
    place = ((torch.ones(count, dtype=torch.float64).cumsum(0) - 0.5) * scale - 0.5).float()
    first = torch.floor(place)
    return first.long(), place - first


def _weights(share: Tensor) -> tuple[Tensor, Tensor]:
    return ((1 - share) * _ONE).round().double(), (share * _ONE).round().double()


def _within(index: Tensor, count: Tensor) -> Tensor:
    return torch.minimum(index.clamp(min=0), count - 1)
