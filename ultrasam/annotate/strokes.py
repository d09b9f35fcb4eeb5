"""The brush: strokes drawn into masks, and kept apart so that they outlast what the model says later."""

from __future__ import annotations

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.annotate.edits import Edit
from ultrasam.annotate.objects import Rle, Strokes
from ultrasam.data import coco

#: cv2's fixed-point places have so many bits behind the point, and it fills circles wider by so many parts.
_SHIFT, _WIDER = 4, 6


def drawn(mask: Rle, edit: Edit, value: int) -> Rle:
    """A mask with a value where a stroke of the brush is: the pixels whose centers it covers."""
    assert edit.stroke is not None
    # Decoded masks lie in memory by columns: turned, they are as OpenCV wants them, and nothing is copied.
    pixels = coco_mask.decode(dict(mask)).T
    # OpenCV's places are pixel centers.
    places = np.rint((edit.stroke[:, ::-1] - 0.5) * 2**_SHIFT).astype(np.int32)
    width = max(round(2 * edit.radius), 1)
    if len(places) > 1:
        cv2.polylines(pixels, [places], False, value, width, shift=_SHIFT)
    # Thin lines have no round ends, and a stroke of one place is no line.
    for x, y in places[[0, -1]].tolist():
        cv2.circle(pixels, (x, y), max(round(edit.radius * 2**_SHIFT) - _WIDER, 1), value, -1, shift=_SHIFT)
    return coco.encode(pixels.T)


def added(strokes: Strokes, edit: Edit, size: tuple[int, int]) -> Strokes:
    """The strokes of an object of an image of ``size`` (H, W) and one more; of two the later counts."""
    value = 0 if edit.erase else 1
    return Strokes(_layer(strokes.painted, edit, value, size), _layer(strokes.erased, edit, 1 - value, size))


def over(strokes: Strokes, mask: Rle) -> Rle:
    """A mask with the strokes over it."""
    if not strokes:
        return mask
    pixels = coco_mask.decode(dict(mask)).astype(bool)
    if strokes.painted is not None:
        pixels |= coco_mask.decode(dict(strokes.painted)).astype(bool)
    if strokes.erased is not None:
        pixels &= ~coco_mask.decode(dict(strokes.erased)).astype(bool)
    return coco.encode(pixels)


def _layer(layer: Rle | None, edit: Edit, value: int, size: tuple[int, int]) -> Rle | None:
    if layer is None and not value:
        return None
    return drawn(layer or empty(size), edit, value)


def empty(size: tuple[int, int]) -> Rle:
    """A mask of ``size`` (H, W) without a pixel."""
    return coco.compress([np.array([size[0] * size[1]])], size)[0]
