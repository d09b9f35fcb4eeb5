"""Masks as distances to their outlines, in which two masks have a middle."""

from __future__ import annotations

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box


def between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """A mask whose outline lies between those of two masks.

    Args:
        first: (H, W) bool.
        second: the same; one of them is not empty.
        share: of the second, 0..1.

    Returns:
        (H, W) bool.
    """
    if not first.any() or not second.any():
        return second if share > 0.5 else first
    x1, y1, x2, y2 = surroundings(tight_box(first | second), first.shape, 0.1)
    distances = [signed(mask[y1:y2, x1:x2]) for mask in (first, second)]
    out = np.zeros_like(first)
    out[y1:y2, x1:x2] = (1 - share) * distances[0] + share * distances[1] > 0
    return out


def surroundings(box: np.ndarray, shape: tuple[int, ...], room: float) -> tuple[int, int, int, int]:
    """A box (4,) xyxy with ``room`` of its longer side and 16 pixels around, whole pixels in the image."""
    x1, y1, x2, y2 = box
    more = room * max(x2 - x1, y2 - y1) + 16
    height, width = shape[:2]
    left, top = max(int(x1 - more), 0), max(int(y1 - more), 0)
    return left, top, min(int(x2 + more), width), min(int(y2 + more), height)


def signed(mask: np.ndarray) -> np.ndarray:
    """Distance to the outline of a mask (h, w), positive within."""
    inside = mask.astype(np.uint8)
    within, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 3) for part in (inside, 1 - inside))
    return within - outside
