"""Attention between two token sets, of which one may be much smaller than the other.

Shapes: q (N, Q, C), k and v (N, K, C), mask (N, K) bool, False hides a key; the answer (N, Q, C).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.modeling.kernels.products import FastLinear, transposed


class Layer(Protocol):
    """What an attention layer has: projections (C, heads * d) and back, and the number of heads."""

    q_proj: FastLinear
    k_proj: FastLinear
    v_proj: FastLinear
    out_proj: FastLinear
    num_heads: int


def cross_attend(layer: Layer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """`plain`, by the variant for few tokens where one side has few."""
    few, many = sorted((q.shape[1], k.shape[1]))
    light = few * layer.num_heads < layer.q_proj.out_features and many > 4 * few
    # Not in training: the key's bias would get no gradient at all instead of one of rounding errors.
    if light and not torch.is_grad_enabled():
        if q.shape[1] > k.shape[1]:
            return few_keys(layer, q, k, v, mask)
        if mask is None:
            return few_queries(layer, q, k, v)
    return plain(layer, q, k, v, mask)


def plain(layer: Layer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """The definition: in each head softmax(q k^T / sqrt(d)) v."""
    q, k, v = (split(x, layer.num_heads) for x in (layer.q_proj(q), layer.k_proj(k), layer.v_proj(v)))
    mask = None if mask is None else mask[:, None, None, :]
    return layer.out_proj(join(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)))


def few_queries(layer: Layer, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """A handful of tokens look at the image: the same sums, the large projections moved to the tokens.

    With q K^T = q (X W)^T = (q W^T) X^T nothing is projected for every cell; the key's bias adds the same
    to all logits of a query and falls out of the softmax.
    """
    heads = (layer.num_heads, -1)
    query = layer.q_proj(q).unflatten(-1, heads)
    query = torch.einsum(
        "nqhd,hdc->nhqc", query * query.shape[-1] ** -0.5, layer.k_proj.weight.unflatten(0, heads)
    )
    weights = transposed(query.flatten(1, 2), k).softmax(dim=-1)
    out = transposed(weights, v.transpose(1, 2)).unflatten(1, heads)
    out = torch.einsum("nhqc,hdc->nqhd", out, layer.v_proj.weight.unflatten(0, heads)).flatten(2)
    return layer.out_proj(out + layer.v_proj.bias)


def few_keys(layer: Layer, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """The image looks at a handful of tokens; see `few_queries`."""
    heads = (layer.num_heads, -1)
    key = layer.k_proj(k).unflatten(-1, heads)
    key = key * key.shape[-1] ** -0.5
    table = torch.einsum("nkhd,hdc->nhkc", key, layer.q_proj.weight.unflatten(0, heads)).flatten(1, 2)
    bias = torch.einsum("nkhd,hd->nhk", key, layer.q_proj.bias.unflatten(0, heads))
    logits = transposed(table, q).unflatten(1, heads) + bias[..., None]
    return spread(layer, logits, v, mask)


def spread(layer: Layer, logits: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
    """What a handful of tokens (N, T, C) tell the image, (N, h*w, C).

    The softmax of logits (N, heads, T, h*w) runs over T, and quickest along contiguous cells.
    """
    if mask is not None:
        logits = logits.masked_fill(~mask[:, None, :, None], float("-inf"))
    weights = logits.softmax(dim=2).flatten(1, 2)
    value = layer.v_proj(tokens).unflatten(-1, (layer.num_heads, -1))
    out = torch.einsum("nkhd,chd->nchk", value, layer.out_proj.weight.unflatten(1, (layer.num_heads, -1)))
    return transposed(weights.transpose(1, 2), out.flatten(2)) + layer.out_proj.bias


def split(x: Tensor, num_heads: int) -> Tensor:
    """(N, L, heads * d) -> (N, heads, L, d)."""
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def join(x: Tensor) -> Tensor:
    """The inverse of `split`: (N, heads, L, d) -> (N, L, heads * d)."""
    return x.transpose(1, 2).flatten(2)
