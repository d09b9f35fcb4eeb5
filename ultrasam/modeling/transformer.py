"""Two-way attention between prompt tokens and image tokens (Kirillov et al. 2023, appendix A)."""

from __future__ import annotations

from torch import Tensor, nn

from ultrasam.modeling.kernels.cross_attention import cross_attend
from ultrasam.modeling.kernels.products import FastLinear
from ultrasam.modeling.layers import MLPBlock


class Attention(nn.Module):
    """Multi-head attention between two token sets, with all three projected to a smaller width.

    Args:
        channels: C.
        heads: attention heads.
        downsample: C over the width of queries, keys and values.
    """

    def __init__(self, channels: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = channels // downsample
        self.heads = heads
        self.q_proj = FastLinear(channels, inner)
        self.k_proj = FastLinear(channels, inner)
        self.v_proj = FastLinear(channels, inner)
        self.out_proj = FastLinear(inner, channels)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Queries (N, Q, C), keys and values (N, K, C), mask (N, K) bool, False hides -> (N, Q, C)."""
        return cross_attend(self, q, k, v, key_mask)


class TwoWayAttentionBlock(nn.Module):
    """Tokens to tokens, tokens to image, MLP, image to tokens.

    Args:
        channels: C.
        heads: attention heads.
        mlp_dim: hidden width of the MLP.
        dropout: on the MLP's hidden and output activations.
        first: the first block has no position code and no residual in its self-attention.
    """

    def __init__(self, channels: int, heads: int, mlp_dim: int, dropout: float, first: bool) -> None:
        super().__init__()
        self.self_attn = Attention(channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = Attention(channels, heads, downsample=2)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLPBlock(channels, mlp_dim, nn.ReLU, dropout)
        self.norm3 = nn.LayerNorm(channels)
        self.norm4 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = Attention(channels, heads, downsample=2)
        self.first = first

    def forward(
        self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor, token_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Update tokens (N, T, C) and image (N, h*w, C), given the position codes of both."""
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens, token_mask)
        else:
            with_pe = tokens + token_pe
            tokens = tokens + self.self_attn(with_pe, with_pe, tokens, token_mask)
        tokens = self.norm1(tokens)
        image_with_pe = image + image_pe
        attended = self.cross_attn_token_to_image(tokens + token_pe, image_with_pe, image)
        tokens = self.norm2(tokens + attended)
        tokens = self.norm3(tokens + self.mlp(tokens))
        attended = self.cross_attn_image_to_token(image_with_pe, tokens + token_pe, tokens, token_mask)
        return tokens, self.norm4(image + attended)


class TwoWayTransformer(nn.Module):
    """A few two-way blocks and a last look of the tokens at the image."""

    def __init__(
        self, *, channels: int, depth: int = 2, heads: int = 8, mlp_dim: int = 2048, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayAttentionBlock(channels, heads, mlp_dim, dropout, first=i == 0) for i in range(depth)
        )
        self.final_attn_token_to_image = Attention(channels, heads, downsample=2)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(
        self, image: Tensor, image_pe: Tensor, tokens: Tensor, token_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let tokens and image exchange what they know.

        Args:
            image: (N, C, h, w), an image map for each prompt.
            image_pe: (1, C, h, w) position code of the map.
            tokens: (N, T, C) output and prompt tokens; they are their own position code.
            token_mask: (N, T) bool, False for tokens that only fill up a ragged batch; None if none do.

        Returns:
            tokens (N, T, C) and image (N, h*w, C).
        """
        image, image_pe = (x.flatten(2).transpose(1, 2) for x in (image, image_pe))
        out = tokens
        for layer in self.layers:
            out, image = layer(out, image, tokens, image_pe, token_mask)
        attended = self.final_attn_token_to_image(out + tokens, image + image_pe, image)
        return self.norm_final_attn(out + attended), image
