"""Bottlenecks in every block of the image encoder (Wu et al. 2023, Medical SAM Adapter).

``x = x + A(attn(norm1(x)))`` with ``A(a) = a + up(gelu(down(a)))``, then, with ``n = norm2(x)``,
``x + mlp(n) + 0.5 up(gelu(down(n)))``. The published UltraSam starts them at random; here the last layer of
each is zero at first, so that the encoder starts as what it was.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam.errors import ConfigError
from ultrasam.modeling.image_encoder import Block, ImageEncoderViT

#: Weight of the branch beside the MLP.
_SCALE = 0.5


class Bottleneck(nn.Module):
    """down, GELU, up: (..., C) -> (..., C), zero at first."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, hidden)
        self.up = nn.Linear(hidden, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return self.up(F.gelu(self.down(x)))


class AdapterBlock(nn.Module):
    """A transformer block with a bottleneck behind the attention and one beside the MLP.

    Args:
        block: the block whose parts it takes.
        hidden: inner width of the bottlenecks.
    """

    def __init__(self, block: Block, hidden: int) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2, self.mlp = block.norm1, block.attn, block.norm2, block.mlp
        width = block.norm1.normalized_shape[0]
        self.attn_adapter = Bottleneck(width, hidden).to(block.norm1.weight)
        self.mlp_adapter = Bottleneck(width, hidden).to(block.norm1.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, h, w, C)."""
        attended = self.attn(self.norm1(x))
        x = x + attended + self.attn_adapter(attended)
        normed = self.norm2(x)
        return x + self.mlp(normed) + _SCALE * self.mlp_adapter(normed)


def add_adapters(encoder: ImageEncoderViT, *, hidden: int | None = None) -> None:
    """Put bottlenecks into every block and freeze all else of the encoder.

    Their output is zero at first, so the encoder's output does not change.

    Args:
        encoder: the encoder.
        hidden: inner width; a quarter of the encoder's width where None, as published.

    Raises:
        ConfigError: the encoder has them already, or the width is not positive.
    """
    hidden = encoder.pos_embed.shape[-1] // 4 if hidden is None else hidden
    if hidden < 1:
        raise ConfigError(f"the inner width of an adapter must be positive, got {hidden}")
    if any(isinstance(block, AdapterBlock) for block in encoder.blocks):
        raise ConfigError("the encoder has adapters already: train them on as they are (mode 'full')")
    encoder.requires_grad_(False)
    blocks = [cast(Block, block) for block in encoder.blocks]
    encoder.blocks = nn.ModuleList(AdapterBlock(block, hidden) for block in blocks)
