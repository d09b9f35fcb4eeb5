"""Boxes that contradict the masks of their objects, and what they were probably meant to be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: A box contradicts its mask where their overlap is less and an edge is further away, in pixels.
OVERLAP, NEAR = 0.5, 3.0
#: Share of the annotations that may contradict themselves; they are left out then, and counted.
TOLERATED = 0.01


def contradictory(boxes: Floats, masks: Floats) -> NDArray[np.bool_]:
    """Whether boxes (n, 4) as annotated contradict those of their masks (n, 4), all x, y, width, height."""
    far = np.abs(_corners(boxes) - _corners(masks)).max(axis=1, initial=0) > NEAR
    return far & (_overlap(boxes, masks) < OVERLAP)


def explain(boxes: Floats, masks: Floats, sizes: Floats, of: int, example: str) -> str:
    """A sentence on boxes that contradict their masks.

    Args:
        boxes: (n, 4) as in the file.
        masks: (n, 4) boxes of the masks, x, y, width, height.
        sizes: (n, 2) H and W of the images.
        of: How many annotations there are.
        example: One of them.
    """
    height, width = sizes.T
    scale = np.stack([width, height, width, height], axis=1)
    text = f"the boxes of {len(boxes)} of {of} annotations contradict their masks, {example} for one"
    read_as = {
        "x1, y1, x2, y2": _of_corners(boxes),
        "fractions of the image": boxes * scale,
        "fractions of the image, with the box's center": _of_centers(boxes * scale),
        "fractions of the image, x1, y1, x2, y2": _of_corners(boxes * scale),
        "the box's center, width and height": _of_centers(boxes),
        "y, x, height, width": boxes[:, [1, 0, 3, 2]],
    }
    fitting = {name: float((_overlap(other, masks) > 0.8).mean()) for name, other in read_as.items()}
    best = max(fitting, key=lambda name: fitting[name])
    if fitting[best] > 0.5:
        return f"{text}; they look like {best}, COCO has x, y, width, height in pixels"
    return f"{text}; correct the boxes or the masks"


def _corners(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _of_corners(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _of_centers(boxes: Floats) -> Floats:
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)


def _overlap(first: Floats, second: Floats) -> Floats:
    """Intersection over union, row by row."""
    a, b = _corners(first), _corners(second)
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    shared = sides.prod(axis=1)
    areas = [np.clip(box[:, 2:], 0, None).prod(axis=1) for box in (first, second)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)
