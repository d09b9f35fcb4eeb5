"""Make ``import torchvision`` work where its compiled operators don't load.

A torchvision wheel built for CUDA beside a CPU build of torch fails at import, because it registers fake
kernels for operators that were never defined. Defining their schemas lets it import; ``nms``, the one that
segment-anything and mmdet call, gets a plain implementation. Where the compiled operators load, nothing
happens.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# A library's definitions live as long as the object.
_libraries: list[torch.library.Library] = []


def nms(dets: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression: boxes (N, 4) xyxy, scores (N,) -> kept indices, best first."""
    order = scores.argsort(descending=True, stable=True)
    boxes = dets[order]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    top_left = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    bottom_right = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    inter = (bottom_right - top_left).clamp(min=0).prod(dim=-1)
    overlaps = inter / (area[:, None] + area[None] - inter) > iou_threshold
    alive = torch.ones(len(order), dtype=torch.bool, device=dets.device)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~overlaps[i, i + 1 :]
    return order[alive]


def bridge_torchvision() -> None:
    """Define the operators that torchvision needs at import, if its compiled ones can't be loaded."""
    if _libraries or hasattr(torch.ops.torchvision, "nms") or _loads_compiled():
        return
    library = torch.library.Library("torchvision", "DEF")
    for name, schema in _SCHEMAS.items():
        library.define(schema)
        library.impl(name, nms, "CompositeExplicitAutograd")
    _libraries.append(library)
    # torchvision refuses its operators unless its own library was loaded; `nms` is there now.
    extension: Any = importlib.import_module("torchvision.extension")
    extension._has_ops = lambda: True


def _loads_compiled() -> bool:
    """Whether torchvision's extension library loads; True where torchvision is not installed at all."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        for path in Path(spec.origin).parent.glob(f"_C*{suffix}"):
            try:
                torch.ops.load_library(str(path))
            except OSError:
                continue
            return hasattr(torch.ops.torchvision, "nms")
    return False
