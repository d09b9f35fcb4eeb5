"""mmcv's compiled operators where they were not built: detectors' by torchvision's, others explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

import torch
from torch import Tensor

from ultrasam.errors import ConfigError


class MissingOps(ModuleType):
    """Stands for ``mmcv._ext``; each operator without a substitute says what is missing when it is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _SUBSTITUTES.get(name) or _refusal(name)


def _refusal(name: str) -> Callable[..., None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConfigError(
            f"mmcv's compiled operator '{name}' is not installed; no model of UltraSam needs it. "
            "Build mmcv with a compiler (MMCV_WITH_OPS=1) to use models that do."
        )

    return refuse


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Boxes (N, 4) xyxy and scores (N,) to kept indices; with an offset of 1, ends are pixels that count."""
    from torchvision import ops

    return ops.nms(torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1), scores, iou_threshold)


def roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    *_: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Means of features (B, C, h, w) within regions (N, 5), into ``output`` (N, C, height, width)."""
    if pool_mode != 1:
        _refusal("roi_align_forward")()
    size = (aligned_height, aligned_width)
    found = torch.ops.torchvision.roi_align(features, rois, spatial_scale, *size, sampling_ratio, aligned)
    output.copy_(found)


_SUBSTITUTES: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"nms": nms, "roi_align_forward": roi_align_forward}
)
