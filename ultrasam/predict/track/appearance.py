"""How an object looks, and where else in a frame something looks like it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box

#: Side of a patch, and what it shows round the object's box, in the box's sides.
_SIDE, _ROOM = 32, 0.35
#: The shorter side of an object when it is searched for, pixels.
_SEARCHED = 24


@dataclass(frozen=True)
class Place:
    """Where something looks like an object.

    Attributes:
        mask: (H, W) bool, the object's earlier mask moved there.
        likeness: -1..1, see `likeness`.
    """

    mask: np.ndarray
    likeness: float


def patch(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An object with its surroundings, without speckle and at one size, so that it may grow and shrink.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, not empty.

    Returns:
        (32, 32) float32 gray levels.
    """
    corner, size = _window(tight_box(mask))
    cell = size / _SIDE
    x1, y1 = np.maximum((corner - 3 * cell.max()).astype(int) - 2, 0)
    x2, y2 = (corner + size + 3 * cell.max()).astype(int) + 2
    near = _smooth(image[y1:y2, x1:x2], float(cell.max()))
    first = corner - (x1, y1) + cell / 2 - 0.5
    matrix = np.array([[cell[0], 0, first[0]], [0, cell[1], first[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(near, matrix, (_SIDE, _SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Normalized cross-correlation of two patches, -1..1: blind to gain, 0 where one is flat."""
    a, b = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm else 0.0


def search(image: np.ndarray, mask: np.ndarray, patches: list[np.ndarray]) -> Place | None:
    """The place in an image that looks most like one of an object's patches, at its last size.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool of the object in an earlier frame, not empty.
        patches: from `patch`.

    Returns:
        None where most of the object would be outside the image.
    """
    box = tight_box(mask)
    sides = box[2:] - box[:2]
    scale = min(1.0, _SEARCHED / sides.min())
    _, window = _window(box)
    height, width = image.shape[:2]
    small = cv2.resize(
        _smooth(image, float(window.max()) / _SIDE),
        (max(round(width * scale), 1), max(round(height * scale), 1)),
        interpolation=cv2.INTER_AREA,
    )
    # It may be cut by the image's edge.
    edge = (sides * scale / 2).astype(int)
    small = cv2.copyMakeBorder(small, edge[1], edge[1], edge[0], edge[0], cv2.BORDER_REPLICATE)
    size = np.maximum((window * scale).astype(int), 4)
    if (size >= small.shape[::-1]).any():
        return None
    best, middle = -1.0, np.zeros(2)
    for known in patches:
        found = cv2.matchTemplate(small, cv2.resize(known, size.tolist()), cv2.TM_CCOEFF_NORMED)
        _, value, _, corner = cv2.minMaxLoc(found)
        if value > best:
            best, middle = value, (np.array(corner) - edge) / scale + window / 2
    shift = middle - (box[:2] + box[2:]) / 2
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    moved = cv2.warpAffine(mask.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST) > 0
    return Place(moved, best) if 2 * moved.sum() > mask.sum() else None


def _window(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corner and size (x, y) of what a patch shows of a box (4,) xyxy."""
    sides = box[2:] - box[:2]
    return box[:2] - _ROOM * sides, (1 + 2 * _ROOM) * sides


def _smooth(part: np.ndarray, cell: float) -> np.ndarray:
    """Gray levels (h, w) float32 without what is finer than ``cell`` pixels."""
    gray = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return cv2.GaussianBlur(gray, (0, 0), max(0.7 * cell, 1.0))
