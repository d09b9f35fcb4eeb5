"""One frame's masks to COCO annotations without ids: components, specks, boxes, run lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .rle import encode
from .types import Frame, Instances, Object

Found = dict[str, Any]


def to_annotations(
    frame: Frame, names: set[str], rule: Instances
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Turn a frame's objects into annotations that name their category.

    Returns:
        The annotations (`category`, `bbox`, `area`, `segmentation`) in the order of the objects, and what
        was dropped, by reason.

    Raises:
        ValueError: A mask of another size than the image, or a category that the data set lacks.
    """
    size = (frame.image.shape[0], frame.image.shape[1])
    found: list[Found] = []
    dropped: Counter[str] = Counter()
    for item in frame.objects:
        if item.category not in names:
            raise ValueError(f"category {item.category!r} is not declared")
        if item.mask.shape != size:
            raise ValueError(f"mask of {item.mask.shape[::-1]} for an image of {size[::-1]} pixels")
        pieces = list(_pieces(item, rule))
        largest = max((area for *_, area in pieces), default=0)
        if not pieces:
            dropped[f"empty mask: {item.category}"] += 1
        for crop, x, y, area in pieces:
            if is_speck(area, largest, rule):
                dropped[f"speck: {item.category}"] += 1
                continue
            if not item.whole and rule.components and _is_strip(crop.shape, x, y, size, rule.border_strip):
                dropped[f"strip along the image border: {item.category}"] += 1
                continue
            found.append(
                {
                    "category": item.category,
                    "bbox": [x, y, crop.shape[1], crop.shape[0]],
                    "area": area,
                    "segmentation": encode(crop, x, y, size),
                }
            )
    return found, dropped


def is_speck(area: int, largest: int, rule: Instances) -> bool:
    """Whether a piece is too small to be an object, next to the largest piece of its mask."""
    small = area < rule.speck_area and area < rule.speck_share * largest
    return small or area < rule.min_share * largest or area < rule.min_area


def _is_strip(shape: tuple[int, ...], x: int, y: int, size: tuple[int, int], width: int) -> bool:
    """Whether a piece is at most `width` pixels across and lies along the border that it touches."""
    height, length = shape[0], shape[1]
    upright = length <= width and length < height and (x == 0 or x + length == size[1])
    flat = height <= width and height < length and (y == 0 or y + height == size[0])
    return upright or flat


def _pieces(item: Object, rule: Instances) -> Iterator[tuple[NDArray[np.bool_], int, int, int]]:
    """Give the crop, left, top and area of every piece, in raster order of their first pixel."""
    mask = np.ascontiguousarray(item.mask, np.uint8)
    left, top, width, height = (int(v) for v in cv2.boundingRect(mask))
    if not width:
        return
    view = mask[top : top + height, left : left + width]
    if item.whole or not rule.components:
        yield view.astype(bool), left, top, int(np.count_nonzero(view))
        return
    count, labels, stats, _ = cv2.connectedComponentsWithStats(view, connectivity=8, ltype=cv2.CV_32S)
    for label in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[label])
        yield labels[y : y + h, x : x + w] == label, left + x, top + y, area
