"""Sizes of a mask, in pixels and, where the spacing is known, in millimeters."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from ultrasam.errors import DataError


@dataclass(frozen=True)
class Measurement:
    """How large a mask is; lengths run from edge to edge of the pixels' outline.

    Attributes:
        area_px: pixels of the mask.
        long_px: largest distance between two points of its outline (Feret diameter), in pixels.
        short_px: its width across that direction, in pixels.
        area_mm2: area in square millimeters, None without spacing.
        long_mm: largest diameter in millimeters, None without spacing.
        short_mm: width across it in millimeters, None without spacing.
    """

    area_px: int
    long_px: float
    short_px: float
    area_mm2: float | None = None
    long_mm: float | None = None
    short_mm: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The known values, rounded to what a pixel can tell."""
        return {k: round(v, 3) for k, v in asdict(self).items() if v is not None}


def measure(mask: np.ndarray, spacing: tuple[float, float] | None = None) -> Measurement:
    """Area and diameters of a mask.

    Args:
        mask: (H, W) bool.
        spacing: (x, y) millimeters a pixel; they may differ, then lengths are measured in millimeters and
            not scaled afterwards.

    Raises:
        DataError: the spacing is not positive.
    """
    if spacing is not None and not (len(spacing) == 2 and all(np.isfinite(s) and s > 0 for s in spacing)):
        raise DataError(f"spacing must be two positive numbers (x, y) in mm a pixel, got {spacing}")
    area = int(mask.sum())
    long_px, short_px = diameters(mask)
    if spacing is None:
        return Measurement(area, long_px, short_px)
    long_mm, short_mm = diameters(mask, spacing)
    return Measurement(area, long_px, short_px, area * spacing[0] * spacing[1], long_mm, short_mm)


def diameters(mask: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> tuple[float, float]:
    """The largest diameter of a mask and its width across it, in units of the spacing; 0, 0 if empty."""
    hull = _hull(mask) * np.array(spacing)
    if not len(hull):
        return 0.0, 0.0
    gaps = hull[:, None] - hull[None]
    length = np.hypot(gaps[..., 0], gaps[..., 1])
    i, j = np.unravel_index(int(length.argmax()), length.shape)
    along = gaps[i, j] / length[i, j]
    across = hull @ np.array([-along[1], along[0]])
    return float(length[i, j]), float(across.max() - across.min())


def _hull(mask: np.ndarray) -> np.ndarray:
    """Corners (K, 2) xy of the convex hull of a mask's pixels, which are squares of side 1."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return np.zeros((0, 2))
    # Only the ends of each row can lie on the hull.
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows][:, ::-1].argmax(axis=1)
    corners = [np.stack([x, y], axis=1) for x in (first, last) for y in (rows, rows + 1)]
    return cv2.convexHull(np.concatenate(corners).astype(np.int32)).reshape(-1, 2).astype(np.float64)
