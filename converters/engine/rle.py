"""Masks to compressed COCO run lengths, at the cost of the object's box and not of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Rle = dict[str, Any]


def encode(crop: NDArray[np.bool_], x: int, y: int, size: tuple[int, int]) -> Rle:
    """Encode an object given by the crop of its box.

    Args:
        crop: (h, w) bool, the mask inside its box.
        x: Left column of the crop in the image.
        y: Top row of the crop in the image.
        size: Image height and width.

    Returns:
        `{"size": [H, W], "counts": text}` as pycocotools gives for the full-size mask.
    """
    height, width = size
    columns = np.zeros((crop.shape[1], crop.shape[0] + 2), np.int8)
    columns[:, 1:-1] = crop.T
    steps = np.diff(columns, axis=1)
    column, row = np.nonzero(steps)
    edges = (column + x) * height + row + y
    if crop.shape[0] == height:  # runs may go on from the foot of one column to the head of the next
        joined = np.flatnonzero(edges[1:-1:2] == edges[2::2])
        edges = np.delete(edges, np.concatenate([2 * joined + 1, 2 * joined + 2]))
    counts = np.diff(edges, prepend=0, append=height * width)
    if counts[-1] == 0:
        counts = counts[:-1]
    packed = coco_mask.frPyObjects({"counts": counts.tolist(), "size": [height, width]}, height, width)
    return {"size": [height, width], "counts": packed["counts"].decode("ascii")}


def encode_full(mask: NDArray[np.bool_]) -> Rle:
    """Encode a full-size (H, W) mask."""
    return encode(mask, 0, 0, (mask.shape[0], mask.shape[1]))


def decode(rle: Rle) -> NDArray[np.bool_]:
    """Decode compressed run lengths to a (H, W) bool mask."""
    return np.asarray(coco_mask.decode(rle), bool)
