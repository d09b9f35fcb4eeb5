"""Masks to COCO run lengths, at the cost of the part of the image where a mask is.

COCO's codes go down the columns: background and foreground by turns, beginning with background.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Rle = dict[str, Any]


def counts(part: NDArray[np.bool_], corner: tuple[int, int], size: tuple[int, int]) -> NDArray[np.int64]:
    """The lengths of the runs of a mask that is background but for a part.

    Args:
        part: (w, h) bool, the part with its columns as rows.
        corner: (x, y) of its first pixel.
        size: (H, W) of the image.

    Returns:
        (R,) int64 lengths that add up to H * W.
    """
    (width, length), height = part.shape, size[0]
    # Each column between two background pixels: it then changes an even number of times.
    change = np.empty((width, length + 1), dtype=bool)
    change[:, 0], change[:, -1] = part[:, 0], part[:, -1]
    np.not_equal(part[:, 1:], part[:, :-1], out=change[:, 1:-1])
    changes = np.flatnonzero(change)
    x, y = np.divmod(changes, length + 1)
    ends = (corner[0] + x) * height + corner[1] + y
    # A run that reaches the bottom goes on at the top of the next column.
    meet = np.flatnonzero(ends[1:-1:2] == ends[2::2])
    if len(meet):
        ends = np.delete(ends, np.concatenate([2 * meet + 1, 2 * meet + 2]))
    total = size[0] * size[1]
    lengths = np.diff(ends, prepend=0, append=total)
    return lengths[:-1] if len(ends) and ends[-1] == total else lengths


def compress(lengths: Sequence[NDArray[np.int64]], size: tuple[int, int]) -> list[Rle]:
    """Run lengths as COCO's compressed codes with text counts: `{"size": [H, W], "counts": text}` each."""
    plain = [{"size": list(size), "counts": row.tolist()} for row in lengths]
    codes = coco_mask.frPyObjects(plain, *size) if plain else []
    return [{"size": [int(n) for n in size], "counts": code["counts"].decode("ascii")} for code in codes]


def encode(crop: NDArray[np.bool_], x: int, y: int, size: tuple[int, int]) -> Rle:
    """The code of an object given by the crop (h, w) bool of its box, whose left and top are x and y."""
    return compress([counts(np.ascontiguousarray(crop.T), (x, y), size)], size)[0]
