"""Smooth random fields: how tissue varies on a scale larger than speckle."""

from __future__ import annotations

import cv2
import numpy as np

from ultrasam.phantom.geometry import Array

_CELLS = 64


def mottle(rng: np.random.Generator, x: Array, y: Array, width: float, height: float | None = None) -> Array:
    """A smooth random field of about zero mean and unit deviation, the same whatever the grid.

    Args:
        rng: always asked for the same number of values.
        x: (D, L) float32 coordinates.
        y: (D, L) float32 coordinates.
        width: size of a blob along x, in units of ``x``.
        height: the same along y; ``width`` if None.

    Returns:
        (D, L) float32.
    """
    table = rng.standard_normal((_CELLS, _CELLS), dtype=np.float32)
    shift = rng.uniform(0, _CELLS, 2)
    column = x * np.float32(1 / width) + np.float32(shift[0])
    row = y * np.float32(1 / (height or width)) + np.float32(shift[1])
    field = cv2.remap(table, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    # Interpolation between independent cells takes away a third of their deviation.
    return field * np.float32(1.4)


def ridges(rng: np.random.Generator, x: Array, y: Array, width: float, height: float | None = None) -> Array:
    """Thin bright lines along the zeros of a random field: septa and fibres; float32 in 0..1."""
    field = mottle(rng, x, y, width, height)
    return np.exp(-np.square(field) * np.float32(12))
