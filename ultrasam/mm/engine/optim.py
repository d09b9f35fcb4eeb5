"""Which parameters decay, and mixed precision on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from torch import nn


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay makes sense for a parameter of the network."""
    own = name.rpartition("sam.")[2]
    is_table = own.endswith((".rel_pos_h", ".rel_pos_w")) or any(
        part.endswith(("pos_embed", "_embed", "_embeddings", "_token", "_tokens"))
        for part in own.split(".")
        if part != "patch_embed"
    )
    return parameter.ndim > 1 and not is_table


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DecayMatrices:
    """Builds an optimizer in two groups, with and without weight decay.

    Args:
        optim_wrapper_cfg: an ``OptimWrapper`` configuration with its ``optimizer``.
        paramwise_cfg: not used.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        self.wrapper = dict(optim_wrapper_cfg)
        self.optimizer = self.wrapper.pop("optimizer")

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build it for the parameters that are trained."""
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [p for name, p in trained if decays(name, p)]},
            {"params": [p for name, p in trained if not decays(name, p)], "weight_decay": 0.0},
        ]
        optimizer = OPTIMIZERS.build({**self.optimizer, "params": [g for g in groups if g["params"]]})
        return OPTIM_WRAPPERS.build({"type": "OptimWrapper", **self.wrapper, "optimizer": optimizer})


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Mixed precision in bfloat16, which needs no scaling of the loss, on a GPU or a processor.

    mmengine's own wrapper for mixed precision refuses processors.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Forward passes run in bfloat16 where that is safe."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield
