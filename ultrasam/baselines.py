"""Segmentation without learning: what a model has to beat to be of use.

Coordinates as in ``ultrasam.types``: pixels, the centre of the top-left pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.errors import PromptError

Mask = NDArray[np.bool_]


def ellipse_in_box(box_xyxy: Sequence[float] | NDArray[np.floating], shape: tuple[int, int]) -> Mask:
    """The ellipse that touches the four sides of a box.

    Args:
        box_xyxy: x1, y1, x2, y2 in pixels; may reach out of the image.
        shape: (H, W) of the image.

    Returns:
        (H, W) bool, the pixels whose centre lies inside the ellipse.

    Raises:
        PromptError: if the box is not four finite numbers, or is empty.
    """
    box = np.asarray(box_xyxy, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise PromptError(f"a box is four finite numbers x1, y1, x2, y2, got {box_xyxy!r}")
    x1, y1, x2, y2 = box
    if x2 <= x1 or y2 <= y1:
        raise PromptError(f"a box needs x1 < x2 and y1 < y2, got {box.tolist()}")
    x = (np.arange(shape[1]) + 0.5 - (x1 + x2) / 2) / ((x2 - x1) / 2)
    y = (np.arange(shape[0]) + 0.5 - (y1 + y2) / 2) / ((y2 - y1) / 2)
    return x[None] ** 2 + y[:, None] ** 2 <= 1


def grow_region(
    image: NDArray[np.uint8],
    point_xy: Sequence[float] | NDArray[np.floating],
    *,
    max_share: float = 0.35,
    levels: int = 32,
) -> Mask:
    """The region around a point whose border stands out most.

    The image is smoothed against speckle; the connected regions of similar grey around the point, one for
    each of ``levels`` tolerances, are cleaned and filled; the one with the strongest contrast across its
    border is returned.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        point_xy: x, y in pixels, inside the image.
        max_share: regions larger than this share of the image are taken for leaks.
        levels: number of tolerances tried.

    Returns:
        (H, W) bool, never empty.

    Raises:
        PromptError: if the point is not two finite numbers inside the image.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    column, row = _pixel(point_xy, grey.shape[:2])
    smooth = _despeckle(grey)
    seed = _seed_level(smooth, column, row)
    best, best_score = _disc(grey.shape[:2], column, row), 0.0
    slope = _gradient(smooth)
    for tolerance in np.linspace(4, 90, levels):
        region = _region(smooth, seed, float(tolerance), column, row)
        area = int(region.sum())
        if area > max_share * grey.size:
            break
        score = _border_contrast(region, slope)
        if area >= 16 and score > best_score:
            best, best_score = region, score
    return best


def _pixel(point_xy: Sequence[float] | NDArray[np.floating], shape: tuple[int, ...]) -> tuple[int, int]:
    """Column and row of the pixel that a point lies in."""
    point = np.asarray(point_xy, dtype=np.float64)
    if point.shape != (2,) or not np.isfinite(point).all():
        raise PromptError(f"a point is two finite numbers x, y, got {point_xy!r}")
    column, row = int(np.floor(point[0])), int(np.floor(point[1]))
    if not (0 <= column < shape[1] and 0 <= row < shape[0]):
        raise PromptError(
            f"the point {point.tolist()} lies outside of the image of {shape[1]}x{shape[0]} pixels"
        )
    return column, row


def _despeckle(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The image without most of its speckle: a median, then a Gaussian, both in proportion to its size."""
    unit = max(grey.shape) / 256
    median = cv2.medianBlur(grey, 2 * round(2 * unit) + 1) if min(grey.shape) > 8 else grey
    return cv2.GaussianBlur(median, (0, 0), 1.2 * unit).astype(np.float32)


def _seed_level(smooth: NDArray[np.float32], column: int, row: int) -> float:
    """The typical grey around the point."""
    reach = max(1, max(smooth.shape) // 80)
    part = smooth[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    return float(np.median(part))


def _gradient(smooth: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2, H, W) float32, derivatives along x and y."""
    return np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)])


def _disc(shape: tuple[int, ...], column: int, row: int) -> Mask:
    """A small disc around the point, for images without any border."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.circle(mask, (column, row), max(1, max(shape) // 40), 1, -1)
    return mask.astype(bool)


def _region(smooth: NDArray[np.float32], seed: float, tolerance: float, column: int, row: int) -> Mask:
    """The connected region within a tolerance of the seed's grey, opened, filled, (H, W) bool."""
    similar = (np.abs(smooth - np.float32(seed)) <= tolerance).astype(np.uint8)
    side = 2 * max(1, max(smooth.shape) // 100) + 1
    opened = cv2.morphologyEx(
        similar, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    )
    source = opened if opened[row, column] else similar
    if not source[row, column]:
        return np.zeros(smooth.shape, bool)
    _, labels = cv2.connectedComponents(source, connectivity=4)
    region = (labels == labels[row, column]).astype(np.uint8)
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(region, outlines, -1, 1, cv2.FILLED).astype(bool)


def _border_contrast(region: Mask, slope: NDArray[np.float32]) -> float:
    """The mean strength of the gradient across the border of a region, signed: one-sided borders count."""
    inner = cv2.GaussianBlur(region.astype(np.float32), (0, 0), 1.5)
    normal = _gradient(inner)
    length = np.hypot(normal[0], normal[1])
    across = normal[0] * slope[0] + normal[1] * slope[1]
    total = float(length.sum())
    return abs(float(across.sum())) / total if total > 0 else 0.0
