"""Any number of prompts: a CPU is quickest within its cache, a GPU's memory has an end."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from ultrasam.modeling.kernels.cross_attention import join, split, spread
from ultrasam.types import Prediction, Prompts

#: Prompts that are decoded together, by device type, and elsewhere.
PROMPTS_TOGETHER, PROMPTS_ELSEWHERE = {"cpu": 1}, 256
#: Prompts of one image from which on it pays to prepare the image for all of them.
SHARE_FROM = 4


def decode(model: Any, embeddings: Tensor, prompts: Prompts, multimask: bool | None) -> Prediction:
    """``decode_at_once`` of a `Sam` for N prompts on embeddings (B, C, h, w), any N."""
    pe = model.prompt_encoder.get_dense_pe()
    at_once = partial(model.decode_at_once, embeddings, pe)
    if torch.is_grad_enabled() or not len(prompts):
        return at_once(prompts, multimask)
    groups = _groups(embeddings, prompts.image_index)
    may_share = prompts.masks is None and (len(embeddings) == 1 or len(groups) > 1)
    together, parts = PROMPTS_TOGETHER.get(embeddings.device.type, PROMPTS_ELSEWHERE), []
    for rows in groups:
        share = may_share and len(rows) >= SHARE_FROM
        answer = SharedImage(model, embeddings, pe, prompts[rows[:1]]) if share else at_once
        parts += [answer(prompts[part], multimask) for part in rows.split(together)]
    if len(parts) == 1:
        return parts[0]
    logits, iou = torch.cat([p.logits for p in parts]), torch.cat([p.iou for p in parts])
    if len(groups) == 1:
        return Prediction(logits, iou)
    back = torch.cat(groups).argsort()
    return Prediction(logits[back], iou[back])


def _groups(embeddings: Tensor, image_index: Tensor) -> list[Tensor]:
    """Rows of prompts: a CPU goes image by image."""
    every = torch.arange(len(image_index), device=embeddings.device)
    if len(embeddings) == 1 or embeddings.device.type != "cpu":
        return [every]
    return [every[image_index == i] for i in image_index.unique()]


class SharedImage:
    """``decode_at_once`` for prompts without masks on the image of the first of them.

    To all of them the image looks the same until the first block has changed it, so three of the ten large
    projections of the two-way transformer are made once.
    """

    def __init__(self, model: Any, embeddings: Tensor, image_pe: Tensor, first: Prompts) -> None:
        self.encode, self.decoder = model.prompt_encoder.encode, model.mask_decoder
        self.size = image_pe.shape[2:]
        self.block = self.decoder.transformer.layers[0]
        image = embeddings[first.image_index] + self.encode(first)[2]
        self.image, self.pe = (x.flatten(2).transpose(1, 2).contiguous() for x in (image, image_pe))
        to_image, to_tokens = self.block.cross_attn_token_to_image, self.block.cross_attn_image_to_token
        image_with_pe = self.image + self.pe
        # (1, heads, h*w, d) each: what tokens find in the image, and what the image asks of them.
        self.keys = split(to_image.k_proj(image_with_pe), to_image.num_heads)
        self.values = split(to_image.v_proj(self.image), to_image.num_heads)
        queries = split(to_tokens.q_proj(image_with_pe), to_tokens.num_heads)
        self.queries = queries * queries.shape[-1] ** -0.5

    def __call__(self, prompts: Prompts, multimask: bool | None) -> Prediction:
        """As `decode`; it does not matter which image the prompts name."""
        sparse, sparse_mask, _ = self.encode(prompts)
        tokens, token_mask = self.decoder.with_output_tokens(sparse, sparse_mask)
        return Prediction(*self.decoder.predict(*self.transform(tokens, token_mask), self.size, multimask))

    def transform(self, tokens: Tensor, token_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The transformer's ``forward``: (N, T, C), mask (N, T) -> tokens (N, T, C) and image (N, h*w, C)."""
        transformer = self.decoder.transformer
        out, image = self._first_block(tokens, token_mask)
        for block in transformer.layers[1:]:
            out, image = block(out, image, tokens, self.pe, token_mask)
        attended = transformer.final_attn_token_to_image(out + tokens, image + self.pe, image)
        return transformer.norm_final_attn(out + attended), image

    def _first_block(self, token_pe: Tensor, token_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The first block, in which tokens are their own position code."""
        block, n = self.block, len(token_pe)
        to_image, to_tokens = block.cross_attn_token_to_image, block.cross_attn_image_to_token
        tokens = block.norm1(block.self_attn(token_pe, token_pe, token_pe, token_mask))
        # The prompts' tokens side by side, so that each head needs one product for all of them.
        queries = split(to_image.q_proj((tokens + token_pe).flatten(0, 1)[None]), to_image.num_heads)
        logits = (queries * queries.shape[-1] ** -0.5) @ self.keys.transpose(-2, -1)
        attended = to_image.out_proj(join(logits.softmax(dim=-1) @ self.values))
        tokens = block.norm2(tokens + attended.unflatten(1, (n, -1))[0])
        tokens = block.norm3(tokens + block.mlp(tokens))
        keys = split(to_tokens.k_proj((tokens + token_pe).flatten(0, 1)[None]), to_tokens.num_heads)
        logits = (keys @ self.queries.transpose(-2, -1)).unflatten(2, (n, -1))[0].transpose(0, 1)
        return tokens, block.norm4(self.image + spread(to_tokens, logits, tokens, token_mask))
