"""The ViT image encoder with windowed and global attention: (B, 3, H, W) -> (B, C, H/patch, W/patch).

Architecture: Kirillov et al. 2023 (Segment Anything), after Li et al. 2022 (ViTDet). Parameter names are
those of Meta's ``sam_vit_*`` files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ultrasam.errors import UltraSamError
from ultrasam.modeling.kernels.attention import attend
from ultrasam.modeling.kernels.parts import by_tokens, by_window_rows
from ultrasam.modeling.kernels.products import FastLinear, of_zeros
from ultrasam.modeling.kernels.windows import window_partition, window_unpartition
from ultrasam.modeling.layers import LayerNorm2d, MLPBlock, check_images


class PatchEmbed(nn.Module):
    """Image to patch tokens: (B, 3, H, W) -> (B, h, w, C)."""

    def __init__(self, patch_size: int, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, h, w, C)."""
        return self.proj(x).permute(0, 2, 3, 1)


class Attention(nn.Module):
    """Multi-head self-attention on a grid of tokens, whole or in windows, with relative positions.

    Args:
        dim: C, channels of a token.
        num_heads: attention heads.
        input_size: (h, w) of the grid or window that the position tables are made for.
        window_size: side of a window, or 0 for attention over the whole grid.
    """

    def __init__(self, dim: int, num_heads: int, input_size: tuple[int, int], window_size: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.qkv: nn.Linear = FastLinear(dim, 3 * dim)
        self.proj = FastLinear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * input_size[0] - 1, dim // num_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * input_size[1] - 1, dim // num_heads))
        self.implementation: str | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (B, h, w, C) -> (B, h, w, C)."""
        return by_window_rows(self._attend, x, self.window_size)

    def _attend(self, x: Tensor) -> Tensor:
        size = x.shape[1], x.shape[2]
        side = (self.window_size, self.window_size) if self.window_size else size
        tables = self.rel_pos_h, self.rel_pos_w
        out = attend(*self._queries_keys_values(x, side), tables, side, self.implementation)
        out = out.transpose(1, 2).flatten(2).unflatten(1, side)
        if self.window_size:
            out = window_unpartition(out, size)
        return by_tokens(self.proj, out, spent=True)

    def _queries_keys_values(self, x: Tensor, side: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Of tokens (B, h, w, C), each (windows, heads, side_h * side_w, d)."""
        qkv = self.qkv(x)
        if self.window_size:
            # Pads are zeros before the projection, and take part as keys.
            qkv = window_partition(qkv, side, of_zeros(self.qkv, x))
        q, k, v = qkv.flatten(1, 2).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v


class Block(nn.Module):
    """A pre-norm transformer block on (B, h, w, C)."""

    def __init__(
        self, dim: int, num_heads: int, mlp_ratio: float, input_size: tuple[int, int], window_size: int
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, num_heads, input_size, window_size)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLPBlock(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        """(B, h, w, C) -> (B, h, w, C)."""
        x = by_window_rows(self._add_attention, x, self.attn.window_size)
        return by_tokens(self._add_mlp, x, spent=True)

    def _add_attention(self, x: Tensor) -> Tensor:
        return x + self.attn(self.norm1(x))

    def _add_mlp(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm2(x))


class ImageEncoderViT(nn.Module):
    """The image encoder.

    Args:
        img_size: S, side of the square input in pixels that the position tables are made for.
        patch_size: side of a patch in pixels.
        embed_dim: channels of a token.
        depth: number of blocks.
        num_heads: attention heads of a block.
        out_chans: C, channels of the embedding.
        window_size: side of an attention window in tokens.
        global_attn_indexes: indices of the blocks that attend over the whole grid.
        mlp_ratio: hidden width of the MLP over ``width``.
        checkpointing: recompute block activations in the backward pass, which saves most of the memory.
    """

    def __init__(
        self,
        *,
        img_size: int = 1024,
        patch_size: int = 16,
        embed_dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        out_chans: int = 256,
        window_size: int = 14,
        global_attn_indexes: Sequence[int] = (2, 5, 8, 11),
        mlp_ratio: float = 4.0,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if img_size % patch_size:
            raise UltraSamError(f"the input size {img_size} is not a multiple of the patch size {patch_size}")
        self.img_size = img_size
        self.patch_size = patch_size
        self.checkpointing = checkpointing
        grid = img_size // patch_size
        self.patch_embed = PatchEmbed(patch_size, embed_dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, embed_dim))
        self.blocks = nn.ModuleList(
            Block(
                embed_dim,
                num_heads,
                mlp_ratio,
                input_size=(grid, grid) if i in global_attn_indexes else (window_size, window_size),
                window_size=0 if i in global_attn_indexes else window_size,
            )
            for i in range(depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(embed_dim, out_chans, kernel_size=1, bias=False),
            LayerNorm2d(out_chans),
            nn.Conv2d(out_chans, out_chans, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(out_chans),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W), H and W multiples of the patch -> (B, C, H/patch, W/patch)."""
        x = self.embed(images)
        for block in self.blocks:
            x = self._run(block, x)
        return self.neck(x.permute(0, 3, 1, 2))

    def compile_blocks(self, **options: Any) -> None:
        """Run the blocks through ``torch.compile`` from now on, each kind once; parameter names stay.

        Args:
            options: of ``torch.compile``; ``mode="reduce-overhead"`` replays CUDA graphs.
        """
        for block in self.blocks:
            block.compile(**options)

    def intermediate(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """The outputs of some blocks, (B, embed_dim, h, w) each, in ascending order of the block."""
        x = self.embed(images)
        maps = []
        for index, block in enumerate(self.blocks):
            x = self._run(block, x)
            if index in layers:
                maps.append(x.permute(0, 3, 1, 2))
        return maps

    @property
    def widths(self) -> list[int]:
        """Channels of each block's output."""
        return [self.pos_embed.shape[-1]] * len(self.blocks)

    def embed(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to patch tokens with their absolute positions, (B, h, w, embed_dim)."""
        check_images(images, self.patch_size)
        x = self.patch_embed(images)
        return x + self._positions((x.shape[1], x.shape[2])).to(x.dtype)

    def _positions(self, size: tuple[int, int]) -> Tensor:
        """The absolute position table for a grid; resized (bicubic) where it was made for another."""
        if self.pos_embed.shape[1:3] == size:
            return self.pos_embed
        table = self.pos_embed.permute(0, 3, 1, 2)
        return F.interpolate(table, size=size, mode="bicubic", align_corners=False).permute(0, 2, 3, 1)

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, x, use_reentrant=False)
        return block(x)
