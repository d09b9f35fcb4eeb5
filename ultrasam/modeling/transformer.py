"""Two-way attention between prompt tokens and image tokens (Kirillov et al. 2023, appendix A)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam.modeling.kernels.products import Linear, transposed
from ultrasam.modeling.layers import MLPBlock


@dataclass(frozen=True)
class ImageSide:
    """An image as the first layer sees it before any prompt has changed it: made once, shared by all prompts.

    Attributes:
        image: (1, h*w, C) tokens.
        pe: (1, h*w, C) their position codes.
        keys: (1, heads, h*w, d) of the tokens' look at the image.
        values: (1, heads, h*w, d) of the same.
        queries: (1, heads, h*w, d) of the image's look at the tokens, divided by sqrt(d).
    """

    image: Tensor
    pe: Tensor
    keys: Tensor
    values: Tensor
    queries: Tensor


class Attention(nn.Module):
    """Multi-head attention between two token sets, with queries and keys projected to a smaller width."""

    def __init__(self, channels: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = channels // downsample
        self.heads = heads
        self.q_proj = Linear(channels, inner)
        self.k_proj = Linear(channels, inner)
        self.v_proj = Linear(channels, inner)
        self.out_proj = Linear(inner, channels)

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
        q, k, v = self.split(self.q_proj(q)), self.split(self.k_proj(k)), self.split(self.v_proj(v))
        mask = None if key_mask is None else key_mask[:, None, None, :]
        return self.join(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))

    def split(self, x: Tensor) -> Tensor:
        """(N, L, heads * d) -> (N, heads, L, d)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def join(self, x: Tensor) -> Tensor:
        """What the heads found, (N, heads, L, d), as (N, L, C)."""
        return self.out_proj(x.transpose(1, 2).flatten(2))

    def _few_queries(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """A handful of tokens look at the image: the same sums, the large projections moved to the tokens.

        With q K^T = q (X W)^T = (q W^T) X^T nothing is projected for every cell; the key's bias adds the same
        to all logits of a query and falls out of the softmax.
        """
        split = (self.heads, -1)
        query = self.q_proj(q).unflatten(-1, split)
        scale = query.shape[-1] ** -0.5
        query = torch.einsum("nqhd,hdc->nhqc", query * scale, self.k_proj.weight.unflatten(0, split))
        weights = transposed(query.flatten(1, 2), k).softmax(dim=-1)
        out = transposed(weights, v.transpose(1, 2)).unflatten(1, split)
        out = torch.einsum("nhqc,hdc->nqhd", out, self.v_proj.weight.unflatten(0, split)).flatten(2)
        return self.out_proj(out + self.v_proj.bias)

    def _few_keys(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None) -> Tensor:
        """The image looks at a handful of tokens; see `_few_queries`."""
        split = (self.heads, -1)
        key = self.k_proj(k).unflatten(-1, split)
        key = key * key.shape[-1] ** -0.5
        table = torch.einsum("nkhd,hdc->nhkc", key, self.q_proj.weight.unflatten(0, split)).flatten(1, 2)
        bias = torch.einsum("nkhd,hd->nhk", key, self.q_proj.bias.unflatten(0, split))
        logits = transposed(table, q).unflatten(1, split) + bias[..., None]
        return self.spread(logits, v, key_mask)

    def spread(self, logits: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """What a handful of tokens (N, T, C) tell the image.

        Args:
            logits: (N, heads, T, h*w): the softmax runs over T, and quickest along contiguous cells.
            tokens: (N, T, C).
            mask: (N, T) bool, False hides a token.

        Returns:
            (N, h*w, C).
        """
        if mask is not None:
            logits = logits.masked_fill(~mask[:, None, :, None], float("-inf"))
        weights = logits.softmax(dim=2).flatten(1, 2)
        value = self.v_proj(tokens).unflatten(-1, (self.heads, -1))
        out = torch.einsum("nkhd,chd->nchk", value, self.out_proj.weight.unflatten(1, (self.heads, -1)))
        return transposed(weights.transpose(1, 2), out.flatten(2)) + self.out_proj.bias


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
        tokens = self._among_tokens(tokens, token_pe, token_mask)
        placed = image + image_pe
        attended = self.cross_attn_token_to_image(tokens + token_pe, placed, image)
        tokens = self._after_look(tokens, attended)
        attended = self.cross_attn_image_to_token(placed, tokens + token_pe, tokens, token_mask)
        return tokens, self.norm4(image + attended)

    def share(self, image: Tensor, image_pe: Tensor) -> ImageSide:
        """What this block makes of an image alone, (1, h*w, C) with its position codes."""
        look, tell = self.cross_attn_token_to_image, self.cross_attn_image_to_token
        placed = image + image_pe
        queries = tell.split(tell.q_proj(placed))
        keys, values = look.split(look.k_proj(placed)), look.split(look.v_proj(image))
        return ImageSide(image, image_pe, keys, values, queries * queries.shape[-1] ** -0.5)

    def forward_shared(
        self, tokens: Tensor, side: ImageSide, token_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """`forward` for N prompts of one image, as the first block: tokens are their own position code."""
        look, tell = self.cross_attn_token_to_image, self.cross_attn_image_to_token
        token_pe, n = tokens, len(tokens)
        tokens = self._among_tokens(tokens, token_pe, token_mask)
        # The prompts' tokens side by side, so that each head needs one product for all of them.
        queries = look.split(look.q_proj((tokens + token_pe).flatten(0, 1)[None]))
        logits = (queries * queries.shape[-1] ** -0.5) @ side.keys.transpose(-2, -1)
        out = logits.softmax(dim=-1) @ side.values
        tokens = self._after_look(tokens, look.join(out).unflatten(1, (n, -1))[0])
        keys = tell.split(tell.k_proj((tokens + token_pe).flatten(0, 1)[None]))
        logits = (keys @ side.queries.transpose(-2, -1)).unflatten(2, (n, -1))[0].transpose(0, 1)
        return tokens, self.norm4(side.image + tell.spread(logits, tokens, token_mask))

    def _among_tokens(self, tokens: Tensor, token_pe: Tensor, token_mask: Tensor | None) -> Tensor:
        if self.first:
            return self.norm1(self.self_attn(tokens, tokens, tokens, token_mask))
        q = tokens + token_pe
        return self.norm1(tokens + self.self_attn(q, q, tokens, token_mask))

    def _after_look(self, tokens: Tensor, attended: Tensor) -> Tensor:
        tokens = self.norm2(tokens + attended)
        return self.norm3(tokens + self.mlp(tokens))


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

    def share(self, image: Tensor, image_pe: Tensor) -> ImageSide:
        """The first layer's part of an image (1, C, h, w) that all its prompts have in common."""
        first = self.layers[0]
        assert isinstance(first, TwoWayAttentionBlock)
        return first.share(_rows(image).contiguous(), _rows(image_pe).contiguous())

    def forward(
        self, image: Tensor | ImageSide, image_pe: Tensor, tokens: Tensor, token_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let tokens and image exchange what they know.

        Args:
            image: (N, C, h, w), an image map for each prompt; or what `share` made of one for all of them.
            image_pe: (1, C, h, w) position code of the map.
            tokens: (N, T, C) output and prompt tokens; they are their own position code.
            token_mask: (N, T) bool, False for tokens that only fill up a ragged batch; None if none do.

        Returns:
            tokens (N, T, C) and image (N, h*w, C).
        """
        first, *others = self.layers
        if isinstance(image, ImageSide):
            assert isinstance(first, TwoWayAttentionBlock)
            pe = image.pe
            out, flat = first.forward_shared(tokens, image, token_mask)
        else:
            flat, pe = _rows(image), _rows(image_pe)
            out, flat = first(tokens, flat, tokens, pe, token_mask)
        for layer in others:
            out, flat = layer(out, flat, tokens, pe, token_mask)
        attended = self.final_attn_token_to_image(out + tokens, flat + pe, flat)
        return self.norm_final_attn(out + attended), flat


def _rows(image: Tensor) -> Tensor:
    """A map (N, C, h, w) as tokens (N, h*w, C)."""
    return image.flatten(2).transpose(1, 2)
