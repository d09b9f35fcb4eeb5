"""Segmentation without learning: what a model has to beat to be of use.

Coordinates as in ``ultrasam.types``: pixels, the center of the top-left pixel is (0.5, 0.5).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.errors import PromptError

Mask = NDArray[np.bool_]

#: Regions are grown on an image of at most this many pixels a side, for which all lengths are tuned.
_SIDE = 256
#: Half widths of the bridges to neighbors that are cut.
_BRIDGES = (2, 5)


def ellipse_in_box(box_xyxy: Sequence[float] | NDArray[np.floating], shape: tuple[int, int]) -> Mask:
    """The ellipse that touches the four sides of a box.

    Args:
        box_xyxy: x1, y1, x2, y2 in pixels; may reach out of the image.
        shape: (H, W) of the image.

    Returns:
        (H, W) bool, the pixels whose center lies inside the ellipse.

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
    levels: int = 24,
) -> Mask:
    """The compact region around a point whose border stands out most.

    The image is smoothed against speckle. The connected regions around the point that are at most so much
    brighter, or at most so much darker, than it are candidates, for ``levels`` tolerances each, cut off at
    bridges of two widths and filled. The one with the strongest mean contrast across its border is taken,
    where dents in the outline count against a candidate as they are the mark of a leak.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        point_xy: x, y in pixels, inside the image.
        max_share: regions larger than this share of the image are taken for leaks.
        levels: number of tolerances tried, evenly spread from 3 to 90 gray levels.

    Returns:
        (H, W) bool, never empty: a small disc around the point if nothing stands out.

    Raises:
        PromptError: if the point is not two finite numbers inside the image.
    """
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    column, row = _pixel(point_xy, gray.shape)
    scale = min(1.0, _SIDE / max(gray.shape))
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
    at = (
        min(int((column + 0.5) * scale), small.shape[1] - 1),
        min(int((row + 0.5) * scale), small.shape[0] - 1),
    )
    region = _grow(small, at, max_share, levels)
    shape = (gray.shape[1], gray.shape[0])
    return cv2.resize(region.astype(np.float32), shape, interpolation=cv2.INTER_LINEAR) > 0.5


def _grow(small: NDArray[np.uint8], at: tuple[int, int], max_share: float, levels: int) -> Mask:
    """``grow_region`` on an image of the right size, from a (column, row)."""
    smooth = _despeckle(small)
    slope = _gradient(smooth)
    above = smooth - np.float32(_seed_level(smooth, *at))
    best, best_score = _disc(small.shape, *at), 0.0
    for bridge, sign in itertools.product(_BRIDGES, (1, -1)):
        for tolerance in np.linspace(3, 90, levels):
            candidate = _region(sign * above <= tolerance, bridge, *at)
            if candidate is None:
                continue
            if candidate.sum() > max_share * small.size:
                break
            score = _score(candidate, slope)
            if score > best_score:
                best, best_score = candidate.astype(bool), score
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


def _despeckle(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The image without most of its speckle: a median, then a Gaussian."""
    return cv2.GaussianBlur(cv2.medianBlur(gray, 7), (0, 0), 2).astype(np.float32)


def _seed_level(smooth: NDArray[np.float32], column: int, row: int) -> float:
    """The typical gray around the point."""
    part = smooth[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
    return float(np.median(part))


def _gradient(smooth: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2, H, W) float32, derivatives along x and y."""
    return np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)])


def _disc(shape: tuple[int, ...], column: int, row: int) -> Mask:
    """A small disc around the point."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.circle(mask, (column, row), 6, 1, -1)
    return mask.astype(bool)


def _region(similar: Mask, bridge: int, column: int, row: int) -> NDArray[np.uint8] | None:
    """The connected part around a pixel, bridges cut, holes filled, (H, W) uint8; None if there is none."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * bridge + 1, 2 * bridge + 1))
    opened = cv2.morphologyEx(similar.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    if not opened[row, column]:
        return None
    _, labels = cv2.connectedComponents(opened, connectivity=4)
    part = (labels == labels[row, column]).astype(np.uint8)
    outlines, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(part, outlines, -1, 1, cv2.FILLED)


def _score(region: NDArray[np.uint8], slope: NDArray[np.float32]) -> float:
    """How much a region looks like an object: contrast, compactness, and a little its size."""
    area = float(region.sum())
    if area < 30:
        return 0.0
    outlines, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    solidity = min(1.0, area / (cv2.contourArea(cv2.convexHull(outlines[0])) + 1))
    return _border_contrast(region, slope) * solidity**2 * area**0.1


def _border_contrast(region: NDArray[np.uint8], slope: NDArray[np.float32]) -> float:
    """The mean slope across the border of a region; stretches that rise and that fall cancel out."""
    normal = _gradient(cv2.GaussianBlur(region.astype(np.float32), (0, 0), 1.5))
    total = float(np.hypot(normal[0], normal[1]).sum())
    across = float((normal[0] * slope[0] + normal[1] * slope[1]).sum())
    return abs(across) / total if total > 0 else 0.0
