"""A mask to a point or a box: random for training, central for testing.

Everything here is numpy with an explicit random generator. Masks are (H, W) bool in the original image,
coordinates in pixels of the network's input; `Geometry` joins the two. Each rule exists in the variant of
the released code (``released=True``), which differs by half a pixel here and there, and in ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.errors import PromptError
from ultrasam.preprocess import Geometry

PromptKind = Literal["point", "box"]
#: Largest move of a box side in training, as a share of the box's width or height.
BOX_NOISE = 0.05


def random_point(
    mask: np.ndarray, geometry: Geometry, rng: np.random.Generator, *, released: bool = False
) -> np.ndarray:
    """A uniform point of a mask, (2,) xy in the input.

    Ours draws in the mask as annotated, so the smallest object can be hit. The released code draws in the
    mask resized by nearest neighbour to the input's scale, where a very small object may have vanished; then
    ours is used.

    Raises:
        PromptError: the mask is empty.
    """
    if released:
        resized = _nearest(mask, geometry)
        if resized.any():
            return _pick(resized, rng)
    return geometry.to_input(_pick(mask, rng))


def _nearest(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """A mask at the input's scale, as the released code resizes it: rounded size, nearest neighbour."""
    height, width = Geometry.of(mask.shape[0], mask.shape[1], geometry.size, "round").resized
    return cv2.resize(mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0


def _pick(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A foreground pixel and a place within it, (2,) xy."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        raise PromptError("an empty mask has no point")
    # Most rows are empty, and looking for the first and last of the others is quick.
    inside = np.flatnonzero(mask[rows[0] : rows[-1] + 1])
    y, x = divmod(int(inside[rng.integers(len(inside))]), mask.shape[1])
    y += int(rows[0])
    return np.array([x, y]) + rng.random(2)


def central_point(mask: np.ndarray, geometry: Geometry, *, released: bool = False) -> np.ndarray:
    """The point that a user would click in the middle of a mask, (2,) xy in the input.

    It is the centroid; where that lies outside a concave object, ours moves to the object's pixel nearest to
    it. The released code keeps the centroid, and adds the half pixel after scaling, not before.

    Raises:
        PromptError: the mask is empty.
    """
    y, x = np.nonzero(mask)
    if not len(x):
        raise PromptError("an empty mask has no centre")
    mean = np.array([x.mean(), y.mean()])
    if released:
        return geometry.to_input(mean) + 0.5
    if not mask[int(mean[1] + 0.5), int(mean[0] + 0.5)]:
        nearest = np.argmin((x - mean[0]) ** 2 + (y - mean[1]) ** 2)
        mean = np.array([x[nearest], y[nearest]], dtype=np.float64)
    return geometry.to_input(mean + 0.5)


def exact_box(box: np.ndarray, geometry: Geometry, *, released: bool = False) -> np.ndarray:
    """A box (4,) xyxy of the image in the input; the released code adds half a pixel."""
    return geometry.to_input(box) + (0.5 if released else 0.0)


def noisy_box(
    box: np.ndarray,
    geometry: Geometry,
    rng: np.random.Generator,
    *,
    noise: float = BOX_NOISE,
    released: bool = False,
) -> np.ndarray:
    """A box whose sides are each moved by up to ``noise`` of its width or height, (4,) xyxy in the input.

    Ours stays in the image and keeps its corners in order; the released code does not look.
    """
    box = geometry.to_input(box)
    extent = np.tile(box[2:] - box[:2], 2)
    moved = box + rng.uniform(-noise, noise, size=4) * extent
    if released:
        return moved + 0.5
    low, high = np.minimum(moved[:2], moved[2:]), np.maximum(moved[:2], moved[2:])
    limit = np.array([geometry.resized[1], geometry.resized[0]], dtype=np.float64)
    return np.concatenate([low.clip(0, limit), high.clip(0, limit)])


@dataclass(frozen=True)
class PromptArrays:
    """The prompts of one image's n objects, as arrays.

    Attributes:
        points: (n, 1, 2) float32 xy in the input; meaningless where the label is -1.
        labels: (n, 1) int64, 1 for a point and -1 where the object has a box.
        boxes: (n, 4) float32 xyxy in the input; NaN where the object has a point.
    """

    points: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray


def simulate_prompts(
    masks: Sequence[np.ndarray],
    boxes: np.ndarray,
    geometry: Geometry,
    rng: np.random.Generator | None,
    *,
    point_probability: float = 0.5,
    box_noise: float = BOX_NOISE,
    released: bool = False,
) -> PromptArrays:
    """A point or a box for each object of an image.

    Args:
        masks: n masks (H, W) bool, none of them empty.
        boxes: (n, 4) xyxy in the image.
        geometry: of the image.
        rng: draws kind, place and noise; None for testing: central points and exact boxes.
        point_probability: of a point instead of a box; 1 or 0 fixes the kind.
        box_noise: see `noisy_box`.
        released: the released code's variant of each rule.
    """
    n = len(masks)
    points = np.zeros((n, 1, 2), dtype=np.float32)
    labels = np.full((n, 1), -1, dtype=np.int64)
    boxes_out = np.full((n, 4), np.nan, dtype=np.float32)
    for i, mask in enumerate(masks):
        if rng is None:
            is_point = point_probability >= 0.5
        else:
            is_point = bool(rng.random() < point_probability)
        if is_point:
            labels[i] = 1
            if rng is None:
                points[i, 0] = central_point(mask, geometry, released=released)
            else:
                points[i, 0] = random_point(mask, geometry, rng, released=released)
        elif rng is None:
            boxes_out[i] = exact_box(boxes[i], geometry, released=released)
        else:
            boxes_out[i] = noisy_box(boxes[i], geometry, rng, noise=box_noise, released=released)
    return PromptArrays(points, labels, boxes_out)


def mask_target(mask: np.ndarray, geometry: Geometry, side: int, *, released: bool = False) -> np.ndarray:
    """A mask (H, W) bool as the decoder should draw it: (side, side) uint8, 0 or 1, padding included.

    Ours averages over each cell and keeps cells that are at least half covered, and the fullest cell of an
    object that covers none by half, so no object vanishes. The released code goes through the input's
    resolution (nearest neighbour) and samples that bilinearly, rounding one half to 0.
    """
    if released:
        full = np.zeros((geometry.size, geometry.size), dtype=np.float32)
        resized = _nearest(mask, geometry)
        full[: resized.shape[0], : resized.shape[1]] = resized
        low = cv2.resize(full, (side, side), interpolation=cv2.INTER_LINEAR)
        return np.round(low).astype(np.uint8)
    share = _cell_share(mask, geometry, side)
    target = share >= 0.5
    if not target.any() and share.any():
        target = share == share.max()
    return target.astype(np.uint8)


def _cell_share(mask: np.ndarray, geometry: Geometry, side: int) -> np.ndarray:
    """How much of each of (side, side) cells of the input a mask covers, float32 0..1; exact."""
    cell = geometry.size / side
    sx, sy = geometry.scale
    share = np.zeros((side, side), dtype=np.float32)
    if not mask.any():
        return share

    def overlap(first: float, last: float, scale: float) -> tuple[slice, np.ndarray]:
        """The cells that pixels first to last touch, and (cells, pixels) which share of a cell each is."""
        edges = np.arange(first, last + 1) * scale / cell
        cells = np.arange(int(edges[0]), min(int(np.ceil(edges[-1])), side))
        part = np.minimum(edges[1:], cells[:, None] + 1) - np.maximum(edges[:-1], cells[:, None])
        return slice(cells[0], cells[-1] + 1), part.clip(min=0).astype(np.float32)

    x1, y1, x2, y2 = tight_box(mask).astype(int)
    (rows, down), (columns, across) = overlap(y1, y2, sy), overlap(x1, x2, sx)
    part = mask[y1:y2, x1:x2].astype(np.float32)
    # Not numpy's product: its library starts a thread for each core in every worker, for matrices this small.
    gathered = cv2.gemm(down, part, 1.0, None, 0.0)
    share[rows, columns] = cv2.gemm(gathered, across, 1.0, None, 0.0, flags=cv2.GEMM_2_T)
    return share
