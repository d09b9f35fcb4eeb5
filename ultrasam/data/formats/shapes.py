"""Round shapes, turned boxes and pieces of masks as outlines and run lengths of an image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.converters.engine.rle import encode


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> list[float]:
    """An ellipse as a polygon that is nowhere further than a twentieth of a pixel from it.

    Args:
        x: of its center, in pixels.
        y: of its center.
        rx: its half axis along x before it is turned.
        ry: the other one.
        angle: by which it is turned, in radians, clockwise on the screen.
    """
    # A chord over the angle 2 pi / n is r (1 - cos(pi / n)) away from its arc.
    corners = int(np.clip(math.pi / math.sqrt(2 * 0.05 / max(rx, ry, 1.0)), 16, 720))
    along = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    dx, dy = rx * np.cos(along), ry * np.sin(along)
    cos, sin = math.cos(angle), math.sin(angle)
    points = np.stack([x + dx * cos - dy * sin, y + dx * sin + dy * cos], axis=1)
    return [float(v) for v in points.ravel()]


def placed(part: NDArray[Any], left: int, top: int, size: tuple[int, int]) -> dict[str, Any] | None:
    """A piece of a mask (h, w) as run lengths of its image; None where nothing of it lies inside.

    Args:
        part: bool.
        left: column of the image that its first one is.
        top: row of the image that its first one is.
        size: (H, W) of the image.
    """
    height, width = size
    inside = part[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)].astype(bool)
    if not inside.any():
        return None
    return encode(np.ascontiguousarray(inside), max(left, 0), max(top, 0), size)
