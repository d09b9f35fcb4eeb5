"""Tight boxes of masks, and the two ways to write a box."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ultrasam.errors import PromptError


def tight_box(mask: NDArray[Any]) -> NDArray[Any]:
    """The box (4,) float64 xyxy that just holds a mask (H, W) bool.

    Raises:
        PromptError: the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise PromptError("an empty mask has no box")
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)


def tight_boxes(masks: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """The boxes (N, 4) float64 xyxy of N masks (H, W) bool; zeros for an empty one."""
    boxes = [tight_box(mask) if mask.any() else np.zeros(4) for mask in masks]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def to_xyxy(boxes: ArrayLike) -> NDArray[Any]:
    """COCO's boxes (..., 4) x, y, width, height as corners x1, y1, x2, y2, float64."""
    x, y, width, height = np.moveaxis(np.asarray(boxes, dtype=np.float64), -1, 0)
    return np.stack([x, y, x + width, y + height], axis=-1)


def to_xywh(boxes: ArrayLike) -> NDArray[Any]:
    """The inverse of `to_xyxy`."""
    x1, y1, x2, y2 = np.moveaxis(np.asarray(boxes, dtype=np.float64), -1, 0)
    return np.stack([x1, y1, x2 - x1, y2 - y1], axis=-1)
