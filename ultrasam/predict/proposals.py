"""Boxes that a model proposes without a prompt: what its box head's maps mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.data.boxes import to_xywh
from ultrasam.preprocess import Geometry

#: Of two boxes with a higher IoU the one with the higher score is kept.
OVERLAP = 0.65
#: Cells that are looked at, those with the highest scores.
_CELLS = 300
#: Largest logarithm of a distance in cells: wider than any input.
_WIDEST = 6.0


@dataclass(frozen=True)
class Proposals:
    """N boxes, the best first.

    Attributes:
        boxes: (N, 4) float64 xyxy in the image.
        scores: (N,) float64, the IoU with an object's box that is to be expected.
    """

    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


def read_maps(maps: np.ndarray, geometry: Geometry, *, most: int = 100, least: float = 0.0) -> Proposals:
    """The boxes that maps tell.

    Args:
        maps: (5, h, w) float, as `ultrasam.modeling.box_head.BoxHead` gives them.
        geometry: how the image lies in the input.
        most: so many boxes.
        least: lowest score.
    """
    cell = geometry.size / maps.shape[1]
    rows, columns = np.mgrid[: maps.shape[1], : maps.shape[2]]
    centers = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) * cell
    scores = 1 / (1 + np.exp(-maps[0].reshape(-1).astype(np.float64)))
    height, width = geometry.resized
    # Padding holds no object.
    shown = (centers < (width, height)).all(axis=1) & (scores >= least)
    best = np.flatnonzero(shown)[np.argsort(-scores[shown], kind="stable")][:_CELLS]
    sides = np.exp(np.minimum(maps[1:].reshape(4, -1).T[best].astype(np.float64), _WIDEST)) * cell
    corners = np.concatenate([centers[best] - sides[:, :2], centers[best] + sides[:, 2:]], axis=1)
    boxes = geometry.to_original(np.clip(corners, 0, np.tile([width, height], 2)))
    plain = to_xywh(boxes)
    real = np.flatnonzero((boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)).tolist()
    iou = coco_mask.iou(plain, plain, [0] * len(plain)) if real else np.zeros((0, 0))
    kept = apart(real, iou, OVERLAP)[:most]
    return Proposals(boxes[kept], scores[best][kept])


def apart(rows: Iterable[int], iou: np.ndarray, overlap: float) -> list[int]:
    """Those of some rows, the best first, of which no two have a higher IoU (N, N) than ``overlap``."""
    kept: list[int] = []
    for row in rows:
        if not kept or iou[row, kept].max() <= overlap:
            kept.append(row)
    return kept
