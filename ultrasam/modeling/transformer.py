"""Two-way attention between prompt tokens and image tokens (Kirillov et al. 2023, appendix A)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam.modeling.layers import MLPBlock


class Attention(nn.Module):
    """Multi-head attention between two token sets, with queries and keys projected to a smaller width."""

    def __init__(self, channels: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = channels // downsample
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Queries (N, Q, C), keys and values (N, K, C), mask (N, K) bool, False hides -> (N, Q, C)."""
        few, width = min(q.shape[1], k.shape[1]), self.q_proj.out_features
        # Not in training: the key's bias would get no gradient at all instead of one of rounding errors.
        light = few * self.heads < width and max(q.shape[1], k.shape[1]) > 4 * few
        if light and not torch.is_grad_enabled():
            if q.shape[1] > k.shape[1]:
                return self._few_keys(q, k, v, key_mask)
            if key_mask is None:
                return self._few_queries(q, k, v)
        q, k, v = (
            proj(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for proj, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v))
        )
        mask = None if key_mask is None else key_mask[:, None, None, :]
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def _few_queries(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """A handful of tokens look at the image: the same sums, the large projections moved to the tokens.

        With q K^T = q (X W)^T = (q W^T) X^T nothing is projected for every cell; the key's bias adds the same
        to all logits of a query and falls out of the softmax.
        """
        split = (self.heads, -1)
        query = self.q_proj(q).unflatten(-1, split)
        scale = query.shape[-1] ** -0.5
        query = torch.einsum("nqhd,hdc->nhqc", query * scale, self.k_proj.weight.unflatten(0, split))
        weights = (query.flatten(1, 2) @ k.transpose(1, 2)).softmax(dim=-1)
        out = (weights @ v).unflatten(1, split)
        out = torch.einsum("nhqc,hdc->nqhd", out, self.v_proj.weight.unflatten(0, split)).flatten(2)
        return self.out_proj(out + self.v_proj.bias)

    def _few_keys(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None) -> Tensor:
        """The image looks at a handful of tokens; see `_few_queries`."""
        split = (self.heads, -1)
        key = self.k_proj(k).unflatten(-1, split)
        value = self.v_proj(v).unflatten(-1, split)
        key = key * key.shape[-1] ** -0.5
        table = torch.einsum("nkhd,hdc->nhkc", key, self.q_proj.weight.unflatten(0, split)).flatten(1, 2)
        bias = torch.einsum("nkhd,hd->nhk", key, self.q_proj.bias.unflatten(0, split))
        if key_mask is not None:
            bias = bias.masked_fill(~key_mask[:, None], float("-inf"))
        logits = torch.baddbmm(bias.flatten(1)[:, None], q, table.transpose(1, 2)).unflatten(2, split)
        out = torch.einsum("nkhd,chd->nhkc", value, self.out_proj.weight.unflatten(1, split))
        return logits.softmax(dim=-1).flatten(2) @ out.flatten(1, 2) + self.out_proj.bias


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
            q = tokens + token_pe
            tokens = tokens + self.self_attn(q, q, tokens, token_mask)
        tokens = self.norm1(tokens)
        placed = image + image_pe
        attended = self.cross_attn_token_to_image(tokens + token_pe, placed, image)
        tokens = self.norm2(tokens + attended)
        tokens = self.norm3(tokens + self.mlp(tokens))
        attended = self.cross_attn_image_to_token(placed, tokens + token_pe, tokens, token_mask)
        return tokens, self.norm4(image + attended)


class TwoWayTransformer(nn.Module):
    """A few two-way blocks and a last look of the tokens at the image."""

    def __init__(
        self, *, channels: int, depth: int = 2, heads: int = 8, mlp_dim: int = 2048, dropout: float = 0.0
    ):
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
        flat, pe = image.flatten(2).transpose(1, 2), image_pe.flatten(2).transpose(1, 2)
        out = tokens
        for layer in self.layers:
            out, flat = layer(out, flat, tokens, pe, token_mask)
        attended = self.final_attn_token_to_image(out + tokens, flat + pe, flat)
        return self.norm_final_attn(out + attended), flat
