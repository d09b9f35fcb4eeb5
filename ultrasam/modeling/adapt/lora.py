"""Low-rank updates of the image encoder's attention (Hu et al. 2022), and their merging into the weights.

An updated layer computes ``W x + b + scale * up(down(dropout(x)))`` for some rows of the fused ``qkv``:
``qv`` updates queries and values with a pair of matrices each, as LoRA usually does; ``qkv`` updates all
three with one pair, as the published UltraSam's configurations do (589,824 parameters at rank 16, by chance
the same number).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ultrasam.errors import CheckpointError, ConfigError
from ultrasam.modeling.image_encoder import Attention, ImageEncoderViT
from ultrasam.modeling.kernels.products import FastLinear

Parts = Literal["qv", "qkv"]


def _updated_rows(parts: int, width: int) -> list[tuple[int, int]]:
    """First row and number of rows of ``qkv`` that each of one or two pairs of matrices updates."""
    return [(0, 3 * width)] if parts == 1 else [(0, width), (2 * width, width)]


class LoRALinear(FastLinear):
    """A fused ``qkv`` layer with a low-rank update; its own weight and bias are frozen.

    Args:
        base: the layer whose weight and bias it takes, (3C, C).
        rank: inner width of the update.
        alpha: the update is scaled by ``alpha / rank``.
        dropout: on the update's input in training.
        parts: ``qv`` or ``qkv``, see the module.
    """

    lora_scale: Tensor

    def __init__(self, base: nn.Linear, rank: int, alpha: float, dropout: float, parts: Parts) -> None:
        width, device = base.in_features, base.weight.device
        super().__init__(width, base.out_features, device="meta")
        self.weight = nn.Parameter(base.weight.detach(), requires_grad=False)
        self.bias = nn.Parameter(base.bias.detach(), requires_grad=False)
        self.rows = _updated_rows({"qkv": 1, "qv": 2}[parts], width)
        self.lora_down = nn.ParameterList(torch.empty(rank, width, device=device) for _ in self.rows)
        self.lora_up = nn.ParameterList(torch.zeros(n, rank, device=device) for _, n in self.rows)
        for down in self.lora_down:
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        self.dropout = nn.Dropout(dropout)
        # Kept in checkpoints, so that an update can be merged without knowing how it was trained.
        self.register_buffer("lora_scale", torch.tensor(alpha / rank, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., 3C)."""
        out = super().forward(x)
        x = self.dropout(x)
        for (start, count), down, up in zip(self.rows, self.lora_down, self.lora_up, strict=True):
            update = self.lora_scale * F.linear(F.linear(x, down), up)
            out = out + F.pad(update, (start, out.shape[-1] - start - count))
        return out


def add_lora(
    encoder: ImageEncoderViT,
    *,
    rank: int = 16,
    alpha: float = 16.0,
    dropout: float = 0.1,
    parts: Parts = "qv",
) -> None:
    """Put a low-rank update on every block's ``qkv`` and freeze all else of the encoder.

    The update is zero at first, so the encoder's output does not change.

    Raises:
        ConfigError: a rank that is not between 1 and the encoder's width, or unknown parts.
    """
    width = encoder.pos_embed.shape[-1]
    if not 1 <= rank <= width:
        raise ConfigError(f"the rank of a LoRA must lie between 1 and {width}, the encoder's width: {rank}")
    if parts not in ("qv", "qkv"):
        raise ConfigError(f"a LoRA updates 'qv' or 'qkv', not {parts!r}")
    attentions = _attentions(encoder)
    if any(isinstance(attention.qkv, LoRALinear) for attention in attentions):
        raise ConfigError("the encoder has a LoRA already: merge it first")
    encoder.requires_grad_(False)
    for attention in attentions:
        attention.qkv = LoRALinear(attention.qkv, rank, alpha, dropout, parts)


def _attentions(encoder: nn.Module) -> list[Attention]:
    return [module for module in encoder.modules() if isinstance(module, Attention)]


def merge_lora(encoder: nn.Module) -> int:
    """Add the updates to the weights they update, for good; the encoder is an ordinary one again.

    Returns:
        how many layers were merged, 0 where there was no LoRA.
    """
    updated = [a for a in _attentions(encoder) if isinstance(a.qkv, LoRALinear)]
    for attention in updated:
        old = attention.qkv
        state = merged_state({f"qkv.{name}": value for name, value in old.state_dict().items()})
        attention.qkv = FastLinear(old.in_features, old.out_features, device="meta")
        attention.qkv.weight, attention.qkv.bias = (
            nn.Parameter(state[f"qkv.{name}"]) for name in ("weight", "bias")
        )
    return len(updated)


def merged_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters whose low-rank updates are added to the weights; unchanged where there are none.

    The names may have any prefix, so this also merges a checkpoint of a detector or classifier.

    Raises:
        CheckpointError: the updates do not fit the weights.
    """
    try:
        return _merged(state)
    except (KeyError, IndexError, RuntimeError) as error:
        raise CheckpointError(f"low-rank updates do not fit their weights: {error}") from error


def _merged(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {name: value for name, value in state.items() if ".lora_" not in name}
    for name in (n for n in state if n.endswith(".lora_scale")):
        layer = name.removesuffix(".lora_scale")
        parts = sum(re.fullmatch(rf"{re.escape(layer)}\.lora_up\.\d+", n) is not None for n in state)
        weight = state[f"{layer}.weight"].clone()
        for number, (start, count) in enumerate(_updated_rows(parts, weight.shape[1])):
            up, down = (state[f"{layer}.lora_{part}.{number}"].float() for part in ("up", "down"))
            weight[start : start + count] += (state[name] * (up @ down)).to(weight.dtype)
        found[f"{layer}.weight"] = weight
    return found
