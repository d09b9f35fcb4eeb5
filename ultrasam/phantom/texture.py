"""Smooth random fields: how tissue varies on a scale larger than speckle."""

from __future__ import annotations

import cv2
import numpy as np

from ultrasam.phantom.geometry import Array

_CELLS = 64
#: Fields with blobs of at least this size are computed at a quarter of the samples and beams.
_COARSE, _REDUCTION = 0.05, 4


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
    shape = x.shape
    if min(width, height or width) >= _COARSE:
        reduced = tuple(max(1, n // _REDUCTION) for n in shape[::-1])
        x, y = cv2.resize(x, reduced), cv2.resize(y, reduced)
    column = x * np.float32(1 / width) + np.float32(shift[0])
    row = y * np.float32(1 / (height or width)) + np.float32(shift[1])
    # Interpolation between independent cells takes away a third of their deviation.
    field = cv2.remap(np.float32(1.4) * table, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    return field if field.shape == shape else cv2.resize(field, shape[::-1])


def ridges(rng: np.random.Generator, x: Array, y: Array, width: float, height: float | None = None) -> Array:
    """Thin bright lines along the zeros of a random field: septa and fibres; float32 in 0..1."""
    field = mottle(rng, x, y, width, height)
    return np.exp(-np.square(field) * np.float32(12))
