"""Tensors that are plain numbers: what everything after reading takes for granted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ultrasam.errors import CheckpointError

_REAL = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)


def plain_tensors(state: Mapping[Any, Any], path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict.

    Raises:
        CheckpointError: one has no name, or is not dense real numbers that the file holds.
    """
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    for name, value in tensors.items():
        if not isinstance(name, str):
            raise CheckpointError(f"{path} holds no weights: a tensor is called {name!r}, which is no name")
        problem = _problem(value)
        if problem:
            raise CheckpointError(f"{path}: {name} {problem}")
    return tensors


def _problem(value: Tensor) -> str | None:
    if value.is_quantized or value.layout is not torch.strided or value.is_nested:
        return "is quantized, sparse or nested; dense numbers are needed (before quantization or pruning)"
    if value.device.type != "cpu":
        return f"has a shape and no numbers (it was saved from the device '{value.device.type}')"
    if value.dtype not in (*_REAL, *_WHOLE):
        return f"holds {str(value.dtype).removeprefix('torch.')}; real numbers of 16 to 64 bits are needed"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return f"has the shape {tuple(value.shape)}, and the file holds fewer numbers: it is damaged"
    return None
