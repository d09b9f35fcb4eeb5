"""Make ``import torchvision`` work where its compiled operators don't load.

A torchvision wheel built for CUDA beside a CPU build of torch fails at import, because it registers fake
kernels for operators that were never defined. Defining their schemas lets it import; ``nms``, which
segment-anything and mmdet call, and ``roi_align``, which mmdet calls, get plain implementations. Where the
compiled operators load, nothing happens.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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


def roi_align(
    input: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Features (B, C, h, w) within regions (N, 5), image and xyxy -> (N, C, height, width), means of samples.

    Mask R-CNN's (He et al. 2017): so many samples along a cell's side, or as many as it has pixels for 0.
    """
    cells = (pooled_height, pooled_width)
    made = input.new_zeros(len(rois), input.shape[1], *cells)
    for number, (image, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (v * spatial_scale - (0.5 if aligned else 0.0) for v in box)
        lines = []
        sides = input.shape[2:]
        for low, high, count, side in ((y1, y2, cells[0], sides[0]), (x1, x2, cells[1], sides[1])):
            length = high - low if aligned else max(high - low, 1.0)
            samples = sampling_ratio if sampling_ratio > 0 else max(math.ceil(length / count), 1)
            places = low + (torch.arange(count * samples) + 0.5) * length / (count * samples)
            lines.append((_linear(places, side).to(input), samples))
        (down, n), (across, m) = lines
        sampled = down @ input[int(image)] @ across.T
        made[number] = sampled.reshape(-1, cells[0], n, cells[1], m).mean(dim=(2, 4))
    return made


def _linear(places: Tensor, side: int) -> Tensor:
    """Weights (places, side) of linear interpolation; beyond a pixel from the border there is nothing."""
    held = places.clamp(0, side - 1)
    below = held.floor().long().clamp(max=max(side - 2, 0))
    weights = torch.zeros(len(places), side)
    rows = torch.arange(len(places))
    weights[rows, below] = 1 - (held - below)
    weights[rows, (below + 1).clamp(max=side - 1)] += held - below
    return weights * ((places >= -1) & (places <= side))[:, None]


_OPERATORS = {
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor": nms,
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor": nms,
    "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor": roi_align,
}


def bridge_torchvision() -> None:
    """Define the operators that torchvision needs at import, if its compiled ones can't be loaded."""
    if _libraries or hasattr(torch.ops.torchvision, "nms") or _loads_compiled():
        return
    library = torch.library.Library("torchvision", "DEF")
    for schema, operator in _OPERATORS.items():
        library.define(schema)
        library.impl(schema.split("(")[0], operator, "CompositeExplicitAutograd")
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
