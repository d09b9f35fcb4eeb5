"""A mask to a point or a box: random for training, central for testing.

Everything here is numpy with an explicit random generator. Masks are (H, W) bool in the original image,
coordinates in pixels of the network's input where a `Geometry`, which joins the two, is given. The functions
are our rules; those of the released code, half a pixel off here and there, are in
`ultrasam.prompts.released`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ultrasam.data.boxes import tight_box
from ultrasam.errors import PromptError
from ultrasam.preprocess import Geometry
from ultrasam.types import MASK_STRIDE

PromptKind = Literal["point", "box"]
#: Largest move of a box side in training, as a share of the box's width or height.
BOX_NOISE = 0.05


def random_point(mask: NDArray[Any], geometry: Geometry, rng: np.random.Generator) -> NDArray[Any]:
    """A uniform point of a mask, (2,) xy in the input.

    It is drawn in the mask as annotated, so the smallest object can be hit.

    Raises:
        PromptError: the mask is empty.
    """
    return geometry.to_input(pick(mask, rng))


def pick(mask: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """A foreground pixel of a mask and a place within it, (2,) xy."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        raise PromptError("an empty mask has no point")
    # Most rows are empty, and looking for the first and last of the others is quick.
    inside = np.flatnonzero(mask[rows[0] : rows[-1] + 1])
    y, x = divmod(int(inside[rng.integers(len(inside))]), mask.shape[1])
    y += int(rows[0])
    return np.array([x, y]) + rng.random(2)


def central_point(mask: NDArray[Any]) -> NDArray[Any]:
    """The point that a user would click in the middle of a mask, (2,) xy in the image.

    It is the centroid; where that lies outside a concave object, the object's pixel nearest to it.

    Raises:
        PromptError: the mask is empty.
    """
    mean = centroid(mask)
    if not mask[int(mean[1] + 0.5), int(mean[0] + 0.5)]:
        y, x = np.nonzero(mask)
        nearest = np.argmin((x - mean[0]) ** 2 + (y - mean[1]) ** 2)
        mean = np.array([x[nearest], y[nearest]], dtype=np.float64)
    return mean + 0.5


def centroid(mask: NDArray[Any]) -> NDArray[Any]:
    """The mean of a mask's pixel indices, (2,) xy.

    Raises:
        PromptError: the mask is empty.
    """
    y, x = np.nonzero(mask)
    if not len(x):
        raise PromptError("an empty mask has no center")
    return np.array([x.mean(), y.mean()])


def exact_box(box: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
    """A box (4,) xyxy of the image in the input."""
    return geometry.to_input(box)


def noisy_box(
    box: NDArray[Any], geometry: Geometry, rng: np.random.Generator, noise: float = BOX_NOISE
) -> NDArray[Any]:
    """A box whose sides are each moved by up to ``noise`` of its width or height, (4,) xyxy in the input.

    It stays in the image and keeps its corners in order.
    """
    moved = move_sides(geometry.to_input(box), rng, noise)
    low, high = np.minimum(moved[:2], moved[2:]), np.maximum(moved[:2], moved[2:])
    limit = np.array([geometry.resized[1], geometry.resized[0]], dtype=np.float64)
    return np.concatenate([low.clip(0, limit), high.clip(0, limit)])


def move_sides(box: NDArray[Any], rng: np.random.Generator, noise: float) -> NDArray[Any]:
    """A box (4,) xyxy with each side moved, wherever it then is."""
    return box + rng.uniform(-noise, noise, size=4) * np.tile(box[2:] - box[:2], 2)


def mask_target(mask: NDArray[Any], geometry: Geometry, side: int) -> NDArray[Any]:
    """A mask (H, W) bool as the decoder should draw it: (side, side) uint8, 0 or 1, padding included.

    Cells count that are at least half covered, and the fullest cell of an object that covers none by half, so
    no object vanishes.
    """
    share = _cell_share(mask, geometry, side)
    target = share >= 0.5
    if not target.any() and share.any():
        target = share == share.max()
    return target.astype(np.uint8)


def _cell_share(mask: NDArray[Any], geometry: Geometry, side: int) -> NDArray[Any]:
    """How much of each of (side, side) cells of the input a mask covers, float32 0..1; exact.

    Between pixels' edges, the sum of all pixels above and to the left of a place is linear along each axis
    (Crow 1984, summed-area tables); a cell's share is the difference of those at its corners.
    """
    share = np.zeros((side, side), dtype=np.float32)
    if not mask.any():
        return share
    cell = geometry.size / side
    x1, y1, x2, y2 = tight_box(mask).astype(int).tolist()
    # How many pixels a cell is wide and high.
    across, down = (cell / scale for scale in geometry.scale)
    sums = cv2.integral(np.ascontiguousarray(mask[y1:y2, x1:x2]).view(np.uint8))
    rows, at_rows = _at_edges(sums, y1, y2, down, side)
    columns, at_corners = _at_edges(at_rows.T, x1, x2, across, side)
    share[rows, columns] = np.diff(np.diff(at_corners.T, axis=0), axis=1) / (across * down)
    return share


def _at_edges(
    sums: NDArray[Any], first: int, last: int, step: float, side: int
) -> tuple[slice, NDArray[np.float64]]:
    """The cells that pixels first to last touch, and the sums (pixels + 1, K) at the edges of these cells.

    Args:
        sums: at the pixels' edges.
        first: pixel.
        last: the pixel behind the last one.
        step: pixels a cell.
        side: of the input in cells.
    """
    cells = slice(int(first / step), min(int(np.ceil(last / step)), side))
    edges = (np.arange(cells.start, cells.stop + 1) * step - first).clip(0, last - first)
    below = np.minimum(edges.astype(int), last - first - 1)
    part = (edges - below)[:, None]
    return cells, (1 - part) * sums[below] + part * sums[below + 1]


class PromptRules:
    """How a mask becomes a prompt and a target; ours, and the base of others."""

    random_point = staticmethod(random_point)
    exact_box = staticmethod(exact_box)
    noisy_box = staticmethod(noisy_box)
    mask_target = staticmethod(mask_target)

    @staticmethod
    def central_point(mask: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
        """The point in the middle of a mask, (2,) xy in the input."""
        return geometry.to_input(central_point(mask))


OURS = PromptRules()


@dataclass(frozen=True)
class PromptArrays:
    """The prompts of one image's n objects, as arrays.

    Attributes:
        points: (n, 1, 2) float32 xy in the input; meaningless where the label is -1.
        labels: (n, 1) int64, 1 for a point and -1 where the object has a box.
        boxes: (n, 4) float32 xyxy in the input; NaN where the object has a point.
    """

    points: NDArray[Any]
    labels: NDArray[Any]
    boxes: NDArray[Any]


def simulate_prompts(
    masks: Sequence[NDArray[Any]],
    boxes: NDArray[Any],
    geometry: Geometry,
    rng: np.random.Generator | None,
    *,
    point_probability: float = 0.5,
    box_noise: float = BOX_NOISE,
    rules: PromptRules = OURS,
) -> PromptArrays:
    """A point or a box for each object of an image.

    Args:
        masks: n masks (H, W) bool, none of them empty.
        boxes: (n, 4) xyxy in the image.
        geometry: of the image.
        rng: draws kind, place and noise; None for testing: central points and exact boxes.
        point_probability: of a point instead of a box; 1 or 0 fixes the kind.
        box_noise: see `noisy_box`.
        rules: how a point or a box is made.
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
                points[i, 0] = rules.central_point(mask, geometry)
            else:
                points[i, 0] = rules.random_point(mask, geometry, rng)
        elif rng is None:
            boxes_out[i] = rules.exact_box(boxes[i], geometry)
        else:
            boxes_out[i] = rules.noisy_box(boxes[i], geometry, rng, box_noise)
    return PromptArrays(points, labels, boxes_out)


def draw_sample(
    masks: Sequence[NDArray[Any]],
    boxes: NDArray[Any],
    geometry: Geometry,
    rng: np.random.Generator,
    *,
    per_object: int = 1,
    point_probability: float = 0.5,
    box_noise: float = BOX_NOISE,
    rules: PromptRules = OURS,
    mask_stride: int = MASK_STRIDE,
) -> tuple[PromptArrays, NDArray[Any]]:
    """What a training step takes from an image's n objects.

    Args:
        masks: n masks (H, W) bool, none of them empty.
        boxes: (n, 4) xyxy in the image.
        geometry: of the image.
        rng: draws kind, place and noise of the prompts.
        per_object: prompts drawn for each object.
        point_probability: see `simulate_prompts`.
        box_noise: see `noisy_box`.
        rules: how prompts and targets are made.
        mask_stride: side of a target's cell in pixels of the input.

    Returns:
        the prompts of the objects, all of them ``per_object`` times over, and their targets, (n * per_object,
        S/4, S/4) uint8, 0 or 1.
    """
    prompts = simulate_prompts(
        [*masks] * per_object,
        np.tile(boxes, (per_object, 1)),
        geometry,
        rng,
        point_probability=point_probability,
        box_noise=box_noise,
        rules=rules,
    )
    targets = [rules.mask_target(mask, geometry, geometry.size // mask_stride) for mask in masks]
    return prompts, np.stack(targets * per_object)
