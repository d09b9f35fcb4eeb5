"""A part of an image as the network sees it, and logits moved between parts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.preprocess import Geometry

#: The logit of places that a crop does not show.
_UNSEEN = -10.0


@dataclass(frozen=True)
class Crop:
    """A part of an image that fills the network's input; the whole image where the corner is (0, 0).

    Attributes:
        corner: (x, y) of its top-left pixel in the image.
        geometry: of the part.
    """

    corner: tuple[int, int]
    geometry: Geometry


def resample(logits: np.ndarray, source: Crop, target: Crop) -> np.ndarray:
    """Logits (4h, 4w) of one crop as another crop of the same image would have them, float32.

    Cells of both are squares of the network's input, so the map between them scales and moves.
    """
    cells = logits.shape[0]
    matrix = np.zeros((2, 3))
    for axis in range(2):
        cell = source.geometry.size / cells
        mine, other = source.geometry.scale[axis] / cell, target.geometry.scale[axis] / cell
        matrix[axis, axis] = mine / other
        shift = target.corner[axis] - source.corner[axis]
        matrix[axis, 2] = (0.5 / other + shift) * mine - 0.5
    return cv2.warpAffine(
        np.ascontiguousarray(logits, dtype=np.float32),
        matrix,
        (cells, cells),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_UNSEEN,
    )
