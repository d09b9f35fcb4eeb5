"""Prompts as people give them in a hurry: boxes too large or beside the object, clicks off its center."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.data.boxes import tight_box


def disturb_box(
    kind: str, box: NDArray[Any], level: float, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[Any]:
    """A box (4,) xyxy with an error; inside the image, never empty.

    Args:
        kind: ``loose``: each side moves outward on its own, by ``level`` of the box's width or height on
            average; ``shift``: the whole box moves in any direction, by ``level`` of its width and height.
        box: (4,) xyxy in pixels.
        level: how far.
        shape: (H, W) of the image.
        rng: the random numbers.
    """
    extent = np.tile(box[2:] - box[:2], 2)
    if kind == "loose":
        moved = box + np.array([-1, -1, 1, 1]) * extent * rng.uniform(0, 2 * level, 4)
    else:
        angle = rng.uniform(0, 2 * np.pi)
        moved = box + level * extent * np.tile([np.cos(angle), np.sin(angle)], 2)
    limit = np.array(shape[::-1], dtype=np.float64)
    # A pixel stays, however small the object and near the border.
    low = moved[:2].clip(0, limit - 1)
    return np.concatenate([low, np.maximum(moved[2:].clip(0, limit), low + 1)])


def off_center(
    mask: NDArray[Any], point: NDArray[Any], level: float, rng: np.random.Generator
) -> NDArray[Any]:
    """A point (2,) xy in any direction from another one, by ``level`` of the object's width and height.

    It stays in the object: where it would leave it, it is the nearest of the object's pixels.
    """
    box = tight_box(mask)
    angle = rng.uniform(0, 2 * np.pi)
    moved = point + level * (box[2:] - box[:2]) * [np.cos(angle), np.sin(angle)]
    column, row = np.floor(moved).astype(int)
    if 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and mask[row, column]:
        return moved
    y, x = np.nonzero(mask)
    nearest = np.argmin((x + 0.5 - moved[0]) ** 2 + (y + 0.5 - moved[1]) ** 2)
    return np.array([x[nearest], y[nearest]]) + 0.5
