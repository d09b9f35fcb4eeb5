"""Arrays to objects: thresholds, label maps, colors, polygons, outlines, fields of view. All pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .types import Array, Object

Mask = NDArray[np.bool_]
RGB = tuple[int, int, int]


def binary(values: Array, category: str, *, threshold: int = 128) -> list[Object]:
    """The pixels from `threshold` up are one mask; none if it is empty.

    Raises:
        ValueError: The values are 0 and 1 and the threshold is above: class numbers, not an empty mask.
    """
    mask = values >= threshold
    if threshold > 1 and values.max(initial=0) == 1:
        raise ValueError(f"a mask of the values 0 and 1, where foreground is {threshold} and up")
    return [Object(category, mask)] if mask.any() else []


def label_map(values: Array, names: Mapping[int, str], *, ignore: Sequence[int] = (0,)) -> list[Object]:
    """One mask a label value, in the order of `names`; several values may share a name.

    Raises:
        ValueError: A value that is neither named nor ignored.
    """
    present = set(np.unique(values).tolist())
    unknown = sorted(present - set(names) - set(ignore))
    if unknown:
        raise ValueError(f"unknown label values {unknown[:8]}, expected {sorted(names)}")
    return [Object(name, values == value) for value, name in names.items() if value in present]


def colors(
    values: Array, names: Mapping[RGB, str | None], *, distance: float = 0, stray: float = 0.0
) -> tuple[list[Object], int]:
    """One mask a color of an RGB mask (None names background).

    Args:
        values: (H, W, 3) RGB or (H, W).
        names: Color to category; several colors may share one.
        distance: Pixels within this Euclidean distance take the nearest color.
        stray: Share of pixels further away that is put up with as background.

    Returns:
        The objects, and the number of pixels that belong to no color.

    Raises:
        ValueError: More stray pixels than allowed; the message names the commonest color.
    """
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    codes = values.astype(np.int64) @ np.array([65536, 256, 1])
    found, inverse = np.unique(codes, return_inverse=True)
    rgb = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    table = np.array(list(names), np.int64)
    gaps = np.linalg.norm(rgb[:, None] - table[None], axis=2)
    nearest = np.where(gaps.min(axis=1) <= distance, gaps.argmin(axis=1), -1)
    chosen = nearest[inverse].reshape(codes.shape)
    strays = int(np.count_nonzero(chosen < 0))
    if strays > stray * chosen.size:
        worst = np.bincount(inverse.ravel()[chosen.ravel() < 0]).argmax()
        raise ValueError(f"unknown color {tuple(rgb[worst].tolist())} in {strays} pixels")
    wanted = {name: None for name in names.values() if name is not None}
    objects = []
    for name in wanted:
        members = [i for i, other in enumerate(names.values()) if other == name]
        mask = np.isin(chosen, members)
        if mask.any():
            objects.append(Object(name, mask))
    return objects, strays


def polygon(points: Any, size: tuple[int, int]) -> Mask:
    """Rasterize one ring of (x, y) pixels, rounded to the nearest, its border included, clipped.

    Self-crossing rings are filled by the even-odd rule.

    Raises:
        ValueError: Fewer than three points, or points that are no finite numbers.
    """
    ring = np.asarray(points, np.float64).reshape(-1, 2)
    if len(ring) < 3:
        raise ValueError(f"a polygon of {len(ring)} points")
    if not np.isfinite(ring).all():
        raise ValueError("a polygon with points that are no numbers")
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.rint(np.clip(ring, -1e5, 1e5)).astype(np.int32)], 1)
    return mask.astype(bool)


def polygons(rings: Iterable[tuple[str, Any]], size: tuple[int, int]) -> list[Object]:
    """Rasterize each ring as an instance of its own; what lies outside the image is dropped."""
    objects = [Object(name, polygon(points, size), whole=True) for name, points in rings]
    return [item for item in objects if item.mask.any()]


def fill(mask: Mask) -> Mask:
    """Fill the holes."""
    # Imported here: it takes longer to start than all the rest, and few data sets fill holes.
    from scipy import ndimage

    return np.asarray(ndimage.binary_fill_holes(mask), bool)


def fill_outline(outline: Mask) -> Mask:
    """The region inside a drawn outline, also when the image border cuts it.

    Where hole filling finds nothing (the line doesn't close), an ellipse is fitted to the line and
    drawn, clipped to the image.

    Raises:
        ValueError: The outline neither closes nor is an ellipse.
    """
    filled = fill(outline)
    line = int(outline.sum())
    if int(filled.sum()) > 1.5 * line:
        return filled
    y, x = np.nonzero(outline)
    if len(x) < 5:
        raise ValueError(f"an outline of {len(x)} pixels")
    center, axes, angle = cv2.fitEllipse(np.stack([x, y], axis=1).astype(np.float32))
    drawn = np.zeros(outline.shape, np.uint8)
    cv2.ellipse(drawn, (center, axes, angle), 1, thickness=-1)
    region = drawn.astype(bool) | outline
    near = cv2.dilate(cv2.morphologyEx(drawn, cv2.MORPH_GRADIENT, np.ones((3, 3))), np.ones((7, 7)))
    if near[outline].mean() < 0.95 or int(region.sum()) < 1.5 * line:
        raise ValueError("the outline is open and no ellipse")
    return region


def largest(mask: Mask) -> Mask:
    """The largest 8-connected component."""
    count, components, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    return np.asarray(components == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), bool)


def field_of_view(images: Array) -> Mask:
    """The imaging sector of a sequence (T, H, W): ever lit, largest part, holes filled.

    Unlike "pixel > 0" it has no holes where tissue is anechoic.
    """
    return fill(largest(np.asarray(images.max(axis=0) > 0)))


def fit(mask: Array, size: tuple[int, int]) -> tuple[Array, tuple[str, ...]]:
    """Bring a mask to the image's (H, W) by nearest neighbor, and note it.

    Raises:
        ValueError: The aspect ratios differ by more than 2 %.
    """
    height, width = mask.shape[:2]
    if (height, width) == size:
        return mask, ()
    if abs(width / height * size[0] / size[1] - 1) > 0.02:
        raise ValueError(f"mask of {width}x{height} pixels for an image of {size[1]}x{size[0]}")
    kind = np.uint8 if mask.dtype == bool else mask.dtype
    resized = cv2.resize(mask.astype(kind), (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    return resized.astype(mask.dtype), ("mask resized to the image",)
