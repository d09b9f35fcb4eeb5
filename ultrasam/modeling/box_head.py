"""Boxes of whatever looks like an object, without a prompt: a small head on the frozen encoder's embedding.

One-stage and without anchors or classes, as FCOS (Tian et al. 2019): every cell says how far the sides of its
object's box are. Its one score is the IoU to be expected of that box (Zhang et al. 2021, VarifocalNet), so
that there is no centerness beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ultrasam.modeling.layers import LayerNorm2d

#: Side of a cell of the maps, in pixels of the input whose embedding has cells of 16.
CELL = 8


class BoxHead(nn.Module):
    """Embeddings to maps of scores and boxes, for a cell of half the embedding's.

    Args:
        channels: C of the embedding.
        width: channels of its blocks on the embedding's cells.
        fine: channels of those on cells of half the size.
        blocks: how many on the embedding's cells.
    """

    def __init__(self, channels: int = 256, width: int = 96, fine: int = 64, blocks: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, width, 1), LayerNorm2d(width))
        self.coarse = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.up = nn.ConvTranspose2d(width, fine, 2, stride=2)
        self.fine = nn.Sequential(_Block(fine), LayerNorm2d(fine))
        self.out = nn.Conv2d(fine, 5, 1)
        nn.init.zeros_(self.out.weight)
        # Few cells are of an object; a box begins with sides of 80 pixels.
        with torch.no_grad():
            self.out.bias.copy_(torch.tensor([-4.0, *[1.6] * 4]))  # type: ignore[union-attr]

    def forward(self, embeddings: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 5, 2h, 2w): logit of the score, logarithms of the distances to x1, y1, x2, y2.

        Distances count from the cell's center, in cells.
        """
        return self.out(self.fine(self.up(self.coarse(self.stem(embeddings)))))


class _Block(nn.Module):
    """Each channel by itself over 5 x 5 cells, then all channels of a cell (Liu et al. 2022, ConvNeXt)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.around = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.norm = LayerNorm2d(width)
        self.wide = nn.Conv2d(width, 2 * width, 1)
        self.act = nn.GELU()
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) -> (B, width, h, w)."""
        return x + self.narrow(self.act(self.wide(self.norm(self.around(x)))))
