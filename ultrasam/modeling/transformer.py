"""Two-way attention between prompt tokens and image tokens (Kirillov et al. 2023, appendix A)."""

from __future__ import annotations

from torch import Tensor, nn

from ultrasam.modeling.kernels.cross_attention import cross_attend
from ultrasam.modeling.kernels.products import FastLinear
from ultrasam.modeling.layers import MLPBlock


class Attention(nn.Module):
    """Multi-head attention between two token sets, with all three projected to a smaller width.

    Args:
        embedding_dim: C.
        num_heads: attention heads.
        downsample_rate: C over the width of queries, keys and values.
    """

    def __init__(self, embedding_dim: int, num_heads: int, downsample_rate: int = 1) -> None:
        super().__init__()
        inner = embedding_dim // downsample_rate
        self.num_heads = num_heads
        self.q_proj = FastLinear(embedding_dim, inner)
        self.k_proj = FastLinear(embedding_dim, inner)
        self.v_proj = FastLinear(embedding_dim, inner)
        self.out_proj = FastLinear(inner, embedding_dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Queries (N, Q, C), keys and values (N, K, C), mask (N, K) bool, False hides -> (N, Q, C)."""
        return cross_attend(self, q, k, v, key_mask)


class TwoWayAttentionBlock(nn.Module):
    """Tokens to tokens, tokens to image, MLP, image to tokens.

    Args:
        embedding_dim: C.
        num_heads: attention heads.
        mlp_dim: hidden width of the MLP.
        dropout: on the MLP's hidden and output activations.
        skip_first_layer_pe: the first block has no position code and no residual in its self-attention.
    """

    def __init__(
        self, embedding_dim: int, num_heads: int, mlp_dim: int, dropout: float, skip_first_layer_pe: bool
    ) -> None:
        super().__init__()
        self.self_attn = Attention(embedding_dim, num_heads)
        self.norm1 = nn.LayerNorm(embedding_dim)
        self.cross_attn_token_to_image = Attention(embedding_dim, num_heads, downsample_rate=2)
        self.norm2 = nn.LayerNorm(embedding_dim)
        self.mlp = MLPBlock(embedding_dim, mlp_dim, nn.ReLU, dropout)
        self.norm3 = nn.LayerNorm(embedding_dim)
        self.norm4 = nn.LayerNorm(embedding_dim)
        self.cross_attn_image_to_token = Attention(embedding_dim, num_heads, downsample_rate=2)
        self.skip_first_layer_pe = skip_first_layer_pe

    def forward(
        self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor, token_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Update tokens (N, T, C) and image (N, h*w, C), given the position codes of both."""
        if self.skip_first_layer_pe:
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
        self,
        *,
        embedding_dim: int,
        depth: int = 2,
        num_heads: int = 8,
        mlp_dim: int = 2048,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayAttentionBlock(embedding_dim, num_heads, mlp_dim, dropout, skip_first_layer_pe=i == 0)
            for i in range(depth)
        )
        self.final_attn_token_to_image = Attention(embedding_dim, num_heads, downsample_rate=2)
        self.norm_final_attn = nn.LayerNorm(embedding_dim)

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
