"""TinyViT as an image encoder: (B, 3, S, S) -> (B, C, S/patch, S/patch); MobileSAM's and LiteMedSAM's.

Architecture: Wu et al. 2022 (TinyViT), whose last stage keeps its resolution here and is followed by Segment
Anything's neck, as in Zhang et al. 2023 (MobileSAM). LiteMedSAM (Ma et al. 2024) takes the pixels themselves
for patches, so that its embedding and its masks are four times as fine. Parameter names are those of their
files.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ultrasam.errors import UltraSamError
from ultrasam.modeling.kernels.parts import by_tokens
from ultrasam.modeling.kernels.products import FastLinear
from ultrasam.modeling.kernels.windows import window_partition, window_unpartition
from ultrasam.modeling.layers import LayerNorm2d, check_images

#: Pixels of the input that a cell of the embedding stands for, by the stem's kernel.
PATCH_OF_KERNEL = {3: 16, 1: 4}


@dataclass(frozen=True)
class TinyVariant:
    """The numbers of a model with a TinyViT; ``img_size`` is the side of its square input in pixels.

    Attributes:
        embed_dims: channels of the four stages.
        depths: their blocks; those of the first are convolutions.
        num_heads: their attention heads.
        window_sizes: sides of their attention windows.
        img_size: S.
        patch_size: 16 where the stem halves the image twice (MobileSAM), 4 where it leaves it as it is
            (LiteMedSAM).
        out_chans: C, channels of the embedding.
    """

    embed_dims: tuple[int, int, int, int] = (64, 128, 160, 320)
    depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    num_heads: tuple[int, int, int, int] = (2, 4, 5, 10)
    window_sizes: tuple[int, int, int, int] = (7, 7, 14, 7)
    img_size: int = 1024
    patch_size: int = 16
    out_chans: int = 256
    adapter: ClassVar[int] = 0

    @property
    def embed_dim(self) -> int:
        """Channels of the last block."""
        return self.embed_dims[-1]


class ConvNorm(nn.Sequential):
    """A convolution and a batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.add_module(
            "c", nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        )
        self.add_module("bn", nn.BatchNorm2d(outputs))


class Stem(nn.Module):
    """Pixels to the first stage's cells: (B, 3, H, W) -> (B, C, H/4, W/4), or of the same size."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        stride = 2 if kernel == 3 else 1
        self.seq = nn.Sequential(
            ConvNorm(3, dim // 2, kernel, stride), nn.GELU(), ConvNorm(dim // 2, dim, kernel, stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w)."""
        return self.seq(x)


class MBConv(nn.Module):
    """An inverted bottleneck with a residual, (B, C, h, w) -> (B, C, h, w)."""

    def __init__(self, dim: int, expansion: int = 4) -> None:
        super().__init__()
        inner = dim * expansion
        self.conv1 = ConvNorm(dim, inner)
        self.conv2 = ConvNorm(inner, inner, kernel=3, groups=inner)
        self.conv3 = ConvNorm(inner, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        inner = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(inner))


class PatchMerging(nn.Module):
    """To the next stage's channels, and to half of the sides with a stride of 2."""

    def __init__(self, dim: int, out_dim: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(dim, out_dim)
        self.conv2 = ConvNorm(out_dim, out_dim, kernel=3, stride=stride, groups=out_dim)
        self.conv3 = ConvNorm(out_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h/stride, w/stride)."""
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class BiasedAttention(nn.Module):
    """Self-attention in windows of W x W tokens, with a learned bias for each distance of two tokens."""

    def __init__(self, dim: int, num_heads: int, window: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = FastLinear(dim, 3 * dim)
        self.proj = FastLinear(dim, dim)
        self.window = window
        self.attention_biases = nn.Parameter(torch.zeros(num_heads, window * window))

    def forward(self, x: Tensor) -> Tensor:
        """(B, W * W, C) -> (B, W * W, C)."""
        # The three parts of a head lie together, and not the heads of a part.
        qkv = self.qkv(self.norm(x)).unflatten(-1, (self.num_heads, 3, -1))
        q, k, v = qkv.permute(3, 0, 2, 1, 4)
        index = torch.tensor(_distances(self.window), device=x.device)
        bias = self.attention_biases[:, index].to(q.dtype)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        return self.proj(out.transpose(1, 2).flatten(2))


@cache
def _distances(window: int) -> list[list[int]]:
    """Which of the W * W distances every two tokens of a window have, (W * W, W * W).

    They are numbered in the order in which they are met first, as files have them.
    """
    tokens = list(itertools.product(range(window), repeat=2))
    numbers: dict[tuple[int, int], int] = {}
    return [
        [numbers.setdefault((abs(a - c), abs(b - d)), len(numbers)) for c, d in tokens] for a, b in tokens
    ]


class TokenMlp(nn.Module):
    """Norm and two linear layers, (..., C) -> (..., C); no residual inside."""

    def __init__(self, dim: int, ratio: int = 4) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = FastLinear(dim, dim * ratio)
        self.fc2 = FastLinear(dim * ratio, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return by_tokens(self._all, x)

    def _all(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class TinyBlock(nn.Module):
    """Attention in windows, a convolution of each channel, and an MLP, on (B, C, h, w)."""

    def __init__(self, dim: int, num_heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = BiasedAttention(dim, num_heads, window)
        self.local_conv = ConvNorm(dim, dim, kernel=3, groups=dim)
        self.mlp = TokenMlp(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        x = x + self._attend(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        tokens = self.local_conv(x).permute(0, 2, 3, 1)
        return (tokens + self.mlp(tokens)).permute(0, 3, 1, 2).contiguous()

    def _attend(self, x: Tensor) -> Tensor:
        """(B, h, w, C), filled up to whole windows with zeros, which take part as any token."""
        side = (self.window, self.window)
        windows = window_partition(x, side, x.new_zeros(x.shape[-1]))
        out = self.attn(windows.flatten(1, 2)).unflatten(1, side)
        return window_unpartition(out, (x.shape[1], x.shape[2]))


class Stage(nn.Module):
    """Blocks, and the way to the next stage where there is one."""

    def __init__(self, blocks: Sequence[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample


class ImageEncoderTinyViT(nn.Module):
    """The image encoder.

    Batch norms keep the statistics that they were loaded with, in training too: batches of large images are
    too small to estimate them (``norm_eval`` in MMDetection). What stands in the norms is trained.

    Args:
        spec: its numbers.
        checkpointing: recompute block activations in the backward pass, which saves most of the memory.
    """

    def __init__(self, spec: TinyVariant | None = None, checkpointing: bool = False) -> None:
        super().__init__()
        spec = spec or TinyVariant()
        kernel = next((k for k, patch in PATCH_OF_KERNEL.items() if patch == spec.patch_size), None)
        if kernel is None:
            raise UltraSamError(f"a TinyViT has cells of 16 or 4 pixels, not {spec.patch_size}")
        if spec.img_size % spec.patch_size:
            raise UltraSamError(
                f"the input size {spec.img_size} is not a multiple of the patch size {spec.patch_size}"
            )
        self.img_size, self.patch_size = spec.img_size, spec.patch_size
        self.checkpointing = checkpointing
        self.patch_embed = Stem(spec.embed_dims[0], kernel)
        self.layers = nn.ModuleList(_stage(spec, number) for number in range(4))
        self.neck = nn.Sequential(
            nn.Conv2d(spec.embed_dim, spec.out_chans, kernel_size=1, bias=False),
            LayerNorm2d(spec.out_chans),
            nn.Conv2d(spec.out_chans, spec.out_chans, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(spec.out_chans),
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W), H and W multiples of the patch -> (B, C, H/patch, W/patch)."""
        *_, last = self._blocks_of(images)
        return self.neck(last)

    def intermediate(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """The outputs of some blocks, (B, channels, h, w) each, in ascending order; sizes differ by stage."""
        return [x for number, x in enumerate(self._blocks_of(images)) if number in layers]

    @property
    def widths(self) -> list[int]:
        """Channels of each block's output."""
        return [
            stage.blocks[0].conv1.c.in_channels if number == 0 else stage.blocks[0].local_conv.c.in_channels  # type: ignore[union-attr,index]
            for number, stage in enumerate(self.layers)
            for _ in stage.blocks  # type: ignore[union-attr]
        ]

    def train(self, mode: bool = True) -> ImageEncoderTinyViT:
        """Switch to training, but for batch norms; see the class."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def _blocks_of(self, images: Tensor) -> Iterator[Tensor]:
        """The output of each block in turn."""
        check_images(images, self.patch_size)
        x = self.patch_embed(images)
        for stage in self.layers:
            for block in stage.blocks:  # type: ignore[union-attr]
                x = self._run(block, x)
                yield x
            if stage.downsample is not None:
                x = stage.downsample(x)  # type: ignore[operator]

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, x, use_reentrant=False)
        return block(x)


def _stage(spec: TinyVariant, number: int) -> Stage:
    """One of the four stages; the last keeps the resolution of the third."""
    dim = spec.embed_dims[number]
    blocks: list[nn.Module]
    if number == 0:
        blocks = [MBConv(dim) for _ in range(spec.depths[0])]
    else:
        heads, window = spec.num_heads[number], spec.window_sizes[number]
        blocks = [TinyBlock(dim, heads, window) for _ in range(spec.depths[number])]
    if number == 3:
        return Stage(blocks, None)
    return Stage(blocks, PatchMerging(dim, spec.embed_dims[number + 1], stride=2 if number < 2 else 1))
