"""The one tiny model that tests share: quick, and with nothing in it that a mistake could hide behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ultrasam.modeling.build import Variant, build_variant
from ultrasam.modeling.sam import Sam

#: Windows that do not divide the grid, one block with them and one without.
TINY = Variant(embed_dim=48, depth=2, num_heads=4, global_attn_indexes=(1,), img_size=256, window_size=7)


def tiny(seed: int = 1, **changes: Any) -> Sam:
    """A tiny model of one's own, to be changed at will; `tiny_model` of the conftest is for everybody.

    Every parameter is random, position tables and norms too, and masks have both signs in every image.

    Args:
        seed: of the weights.
        changes: what differs from `TINY`.
    """
    torch.manual_seed(seed)
    network = build_variant(replace(TINY, **changes)).eval()
    with torch.no_grad():
        for value in network.parameters():
            value.add_(torch.randn_like(value) * 0.05)
        for mlp in network.mask_decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.mul_(20)
    return network
