"""Small layers shared by the encoder and the decoder; parameter names are Segment Anything's."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam.errors import UltraSamError
from ultrasam.modeling.kernels.parts import by_tokens
from ultrasam.modeling.kernels.products import FastLinear


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of a (B, C, h, w) map."""

    def __init__(self, num_channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        x = x.permute(0, 2, 3, 1)
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class MLPBlock(nn.Module):
    """Two linear layers with an activation between, (..., C) -> (..., C); no residual inside."""

    def __init__(
        self, embedding_dim: int, mlp_dim: int, act: type[nn.Module] = nn.GELU, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.lin1 = FastLinear(embedding_dim, mlp_dim)
        self.lin2 = FastLinear(mlp_dim, embedding_dim)
        self.act = act()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return by_tokens(self._all, x)

    def _all(self, x: Tensor) -> Tensor:
        return self.dropout(self.lin2(self.dropout(self.act(self.lin1(x)))))


class MLP(nn.Module):
    """A stack of linear layers with ReLU between, (..., input_dim) -> (..., output_dim)."""

    def __init__(self, input_dim: int, hidden_dim: int, output_dim: int, num_layers: int) -> None:
        super().__init__()
        widths = [input_dim, *[hidden_dim] * (num_layers - 1), output_dim]
        self.layers = nn.ModuleList(FastLinear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """(..., input_dim) -> (..., output_dim)."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class PositionEmbeddingRandom(nn.Module):
    """Random Fourier features of a position (Tancik et al. 2020): [sin, cos] of 2 pi c G."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, num_pos_feats: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, num_pos_feats))

    def encode(self, xy: Tensor) -> Tensor:
        """Positions (..., 2) as fractions of the input, 0 to 1 -> (..., 2 * num_pos_feats).

        Computed in the buffer's dtype: half precision cannot tell neighboring pixels apart.
        """
        gaussian = self.positional_encoding_gaussian_matrix
        with torch.autocast(xy.device.type, enabled=False):
            angle = 2 * math.pi * ((2 * xy.to(gaussian.dtype) - 1) @ gaussian)
            return torch.cat([angle.sin(), angle.cos()], dim=-1)

    def forward(self, size: tuple[int, int]) -> Tensor:
        """The code of the cell centers of an (h, w) grid: (C, h, w)."""
        h, w = size
        gaussian = self.positional_encoding_gaussian_matrix
        y = (torch.arange(h, device=gaussian.device, dtype=gaussian.dtype) + 0.5) / h
        x = (torch.arange(w, device=gaussian.device, dtype=gaussian.dtype) + 0.5) / w
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        return self.encode(grid).permute(2, 0, 1)


def check_images(images: Tensor, patch_size: int) -> None:
    """Whether an image encoder can take these: (B, 3, H, W), sides multiples of its patches.

    Raises:
        UltraSamError: it can't.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise UltraSamError(f"the image encoder takes (B, 3, H, W), got {tuple(images.shape)}")
    if images.shape[2] % patch_size or images.shape[3] % patch_size:
        raise UltraSamError(
            f"image sides must be multiples of {patch_size} pixels, got {tuple(images.shape[2:])}"
        )
