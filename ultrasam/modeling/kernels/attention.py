"""Attention with decomposed relative positions (Li et al. 2022, MViTv2), in exact variants.

Every variant computes softmax(q k^T / sqrt(d) + rel_h + rel_w) v, where the two relative terms are dot
products of the *unscaled* query with a table row for the vertical and the horizontal distance. They differ
in memory and speed alone; tests hold each against ``plain``, forward and gradients.

Shapes: q, k, v (G, heads, h*w, d) for G windows or images; a pair of tables (2h-1, d) and (2w-1, d).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from ultrasam.modeling.kernels.products import is_float32_inference, linear, uses_onednn

logger = logging.getLogger(__name__)

Pair = tuple[Tensor, Tensor]
Size = tuple[int, int]
Attend = Callable[[Tensor, Tensor, Tensor, Pair, Size], Tensor]

#: Queries that `chunked` looks at together: keeps the bias of a 64 x 64 grid in the CPU's cache.
CHUNKED_QUERIES = 1024
#: Logits that `in_cache` makes at a time for each thread: the second level of the cache holds them.
CACHED_LOGITS = 2**19
#: Queries that `by_head` looks at together.
BY_HEAD_QUERIES = 128
# The widest heads of flash attention.
_FLASH_WIDTH = 256


def relative_table(table: Tensor, size: int) -> Tensor:
    """Rows of a relative position table for a side of ``size`` cells: (size, size, d), query first.

    A table made for another side is resized linearly, as in segment-anything.
    """
    wanted = 2 * size - 1
    if len(table) != wanted:
        table = F.interpolate(table.t()[None].float(), size=wanted, mode="linear")[0].t().to(table.dtype)
    index = torch.arange(size, device=table.device)
    return table[index[:, None] - index[None, :] + size - 1]


def relative_terms(q: Tensor, tables: Pair, size: Size) -> Pair:
    """The two bias terms of each query: (G, heads, h*w, h) and (G, heads, h*w, w)."""
    h, w = size
    grid = q.unflatten(2, (h, w))
    rel_h = torch.einsum("ghyxd,ykd->ghyxk", grid, relative_table(tables[0], h).to(q.dtype))
    rel_w = torch.einsum("ghyxd,xkd->ghyxk", grid, relative_table(tables[1], w).to(q.dtype))
    return rel_h.flatten(2, 3), rel_w.flatten(2, 3)


def plain(q: Tensor, k: Tensor, v: Tensor, tables: Pair, size: Size) -> Tensor:
    """The definition, with every logit in memory: the yardstick of the others."""
    rel_h, rel_w = relative_terms(q, tables, size)
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    logits = logits + (rel_h[..., :, None] + rel_w[..., None, :]).flatten(-2)
    return logits.softmax(dim=-1) @ v


def chunked(q: Tensor, k: Tensor, v: Tensor, tables: Pair, size: Size) -> Tensor:
    """Fused attention whose bias is made for `CHUNKED_QUERIES` at a time: for inference."""
    rel_h, rel_w = relative_terms(q, tables, size)
    parts = []
    for start in range(0, q.shape[2], CHUNKED_QUERIES):
        rows = slice(start, start + CHUNKED_QUERIES)
        bias = (rel_h[:, :, rows, :, None] + rel_w[:, :, rows, None, :]).flatten(-2)
        parts.append(F.scaled_dot_product_attention(q[:, :, rows], k, v, attn_mask=bias))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def in_cache(q: Tensor, k: Tensor, v: Tensor, tables: Pair, size: Size) -> Tensor:
    """The definition for a head's next queries at a time, in one buffer: for inference on a CPU.

    From the bias, to which the product is added, to the softmax in place the logits stay in the cache.
    """
    n, d = q.shape[2:]
    queries = max(1, CACHED_LOGITS * torch.get_num_threads() // n)
    # In the order of tokens, as what follows wants it.
    out = torch.empty_like(q.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)
    buffer = q.new_empty(min(queries, n), *size)
    for i, j in product(range(q.shape[0]), range(q.shape[1])):
        # The rows of a head lie far apart, which products like less than a copy.
        query, key, value = (t[i, j].contiguous() for t in (q, k, v))
        rel_h, rel_w = (rel[0, 0] for rel in relative_terms(query[None, None], tables, size))
        query = query * d**-0.5
        for start in range(0, n, queries):
            rows = slice(start, start + queries)
            bias = buffer[: n - start]
            torch.add(rel_h[rows, :, None], rel_w[rows, None, :], out=bias)
            logits = bias.flatten(1).addmm_(query[rows], key.t())
            out[i, j, rows] = torch.softmax(logits, dim=-1, out=logits) @ value
    return out


def by_head(q: Tensor, k: Tensor, v: Tensor, tables: Pair, size: Size) -> Tensor:
    """The definition in products of two matrices, `BY_HEAD_QUERIES` of a head at a time, for oneDNN."""
    # In the order of tokens, as what follows wants it.
    out = torch.empty_like(q.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)
    for i, j in product(range(q.shape[0]), range(q.shape[1])):
        query, key, value = q[i, j].contiguous(), k[i, j] * q.shape[-1] ** -0.5, v[i, j].t().contiguous()
        rel_h, rel_w = (rel[0, 0] for rel in relative_terms(query[None, None], tables, size))
        for start in range(0, len(query), BY_HEAD_QUERIES):
            rows = slice(start, start + BY_HEAD_QUERIES)
            logits = linear(query[rows], key)
            grid = logits.unflatten(1, size)
            grid += rel_h[rows, :, None]
            grid += rel_w[rows, None, :]
            out[i, j, rows] = linear(logits.softmax(dim=-1), value)
    return out


def concatenated(q: Tensor, k: Tensor, v: Tensor, tables: Pair, size: Size) -> Tensor:
    """The bias as extra query and key channels, so that plain flash attention does the rest.

    With q' = [q / sqrt(d), rel_h, rel_w] and k' = [k, onehot(row), onehot(column)], q' k'^T is the biased
    logit: nothing of size (h*w)^2 is made or kept for the backward pass. For training on a GPU.
    """
    h, w = size
    rel_h, rel_w = relative_terms(q, tables, size)
    cell = torch.arange(h * w, device=q.device)
    where = torch.cat([F.one_hot(cell // w, h), F.one_hot(cell % w, w)], dim=-1).to(q.dtype)
    query = torch.cat([q * q.shape[-1] ** -0.5, rel_h, rel_w], dim=-1)
    key = torch.cat([k, where.expand(*k.shape[:2], -1, -1)], dim=-1)
    # Flash kernels want one head size, a multiple of 8, for queries, keys and values.
    d = -(-query.shape[-1] // 8) * 8
    query, key = (F.pad(t, (0, d - t.shape[-1])) for t in (query, key))
    value = F.pad(v, (0, d - v.shape[-1]))
    return F.scaled_dot_product_attention(query, key, value, scale=1.0)[..., : v.shape[-1]]


def flex(q: Tensor, k: Tensor, v: Tensor, tables: Pair, size: Size) -> Tensor:
    """FlexAttention (Dong et al. 2024): a compiled kernel that adds the bias to each logit as it is made.

    Where it can't be compiled, which shows at its first call, `concatenated` does the work from then on.
    """
    rel_h, rel_w = relative_terms(q, tables, size)

    def biased(score: Tensor, g: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score + rel_h[g, head, query, key // size[1]] + rel_w[g, head, query, key % size[1]]

    if broken(q):
        return concatenated(q, k, v, tables, size)
    try:
        return _flex_kernel()(q, k, v, score_mod=biased)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # compilers fail in many ways
        _broken[_kind(q)] = why = (str(error) or type(error).__name__).splitlines()[0]
        _tell("flex", why)
        return concatenated(q, k, v, tables, size)


@lru_cache(maxsize=1)
def _flex_kernel() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False)


#: Each falls back on the next where it can't run.
IMPLEMENTATIONS: dict[str, Attend] = {
    "flex": flex,
    "concatenated": concatenated,
    "by_head": by_head,
    "in_cache": in_cache,
    "chunked": chunked,
    "plain": plain,
}
# Why FlexAttention did not work, for each kind of query.
_broken: dict[tuple[str, torch.dtype, bool], str] = {}


def broken(q: Tensor) -> str | None:
    """Why FlexAttention did not work for queries like these; None while it does."""
    return _broken.get(_kind(q))


def _kind(q: Tensor) -> tuple[str, torch.dtype, bool]:
    return q.device.type, q.dtype, q.requires_grad


def attend(q: Tensor, k: Tensor, v: Tensor, tables: Pair, size: Size, name: str | None = None) -> Tensor:
    """`plain` by the variant that `choose` chooses: (G, heads, h*w, d)."""
    return choose(q, size, name)(q, k, v, tables, size)


def choose(q: Tensor, size: Size, name: str | None = None) -> Attend:
    """An exact variant for queries (G, heads, h*w, d) on a grid.

    Args:
        q: the queries: device, dtype, and whether gradients are needed decide.
        size: (h, w).
        name: the variant that is wanted; the quickest for the device where None. One that can't run here is
            replaced by the next of `IMPLEMENTATIONS`, with a line in the log.
    """
    names = list(IMPLEMENTATIONS)
    for candidate in names[names.index(name or _quickest(q)) :]:
        why = _unfit(candidate, q, size)
        if why is None:
            return IMPLEMENTATIONS[candidate]
        _tell(candidate, why)
    return plain


def _quickest(q: Tensor) -> str:
    large = q.shape[2] > 256
    if large and is_float32_inference(q):
        return "by_head" if uses_onednn(q) else "in_cache"
    # A few windows' bias stays in the cache by itself.
    if not q.requires_grad:
        return "chunked"
    # Small windows: the logits are few, and saving them is cheaper than wider heads.
    return "concatenated" if large and q.is_cuda else "plain"


def _unfit(name: str, q: Tensor, size: Size) -> str | None:
    """Why a variant can't take these queries; None where it can."""
    d = q.shape[-1]
    if name == "concatenated" and q.is_cuda and d + sum(size) > _FLASH_WIDTH:
        return f"heads of {d} + {size[0]} + {size[1]} channels are wider than {_FLASH_WIDTH}"
    if name == "in_cache" and not is_float32_inference(q):
        return "for inference in float32 on a CPU alone"
    if name != "flex":
        return None
    if why := broken(q):
        return why
    if q.device.type not in ("cpu", "cuda"):
        return f"not made for {q.device.type}"
    if q.device.type == "cpu" and q.requires_grad:
        return "no gradients on a CPU"
    if q.dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return f"not made for {q.dtype}"
    return None if d in (16, 32, 64, 128, 256) else f"not made for heads of {d} channels"


@lru_cache(maxsize=64)
def _tell(name: str, why: str) -> None:
    """One line for each reason."""
    logger.warning("attention without '%s' here: %s", name, why)
