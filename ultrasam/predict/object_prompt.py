"""What a user says of one object, checked, and many of them packed into one flat batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ultrasam.errors import PromptError
from ultrasam.preprocess import Geometry
from ultrasam.types import NEGATIVE, PADDING, POSITIVE, Prompts


@dataclass(frozen=True)
class ObjectPrompt:
    """Everything known of one object, in pixel indices of its image ((0, 0) is the top-left pixel).

    Attributes:
        points: (K, 2) xy, or None.
        labels: (K,) 1 inside the object, 0 outside; None means that all are inside.
        box: (4,) x1, y1, x2, y2, or None.
        mask: (4h, 4w) or (1, 4h, 4w) logits of an earlier prediction, or None.
        image: number of the image in the batch.
    """

    points: Any = None
    labels: Any = None
    box: Any = None
    mask: Any = None
    image: int = 0


@dataclass(frozen=True)
class _Checked:
    points: np.ndarray
    labels: np.ndarray
    box: np.ndarray | None
    mask: np.ndarray | None
    image: int


def pack(
    objects: Sequence[ObjectPrompt], geometries: Sequence[Geometry], mask_size: tuple[int, int]
) -> Prompts:
    """The prompts of N objects over B images, in pixels of the network's input.

    Args:
        objects: N of them, any mixture of points, boxes and masks.
        geometries: of the B images.
        mask_size: (4h, 4w) of a mask prompt.

    Raises:
        PromptError: it names the object and what is wrong with it.
    """
    checked = [_check(entry, number, geometries, mask_size) for number, entry in enumerate(objects)]
    index = torch.tensor([entry.image for entry in checked], dtype=torch.long)
    return Prompts(
        index,
        *_points(checked, geometries),
        boxes=_boxes(checked, geometries),
        masks=_masks(checked, mask_size),
        has_mask=torch.tensor([entry.mask is not None for entry in checked])
        if any(entry.mask is not None for entry in checked)
        else None,
    )


def to_input(xy: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Pixel indices of an image as pixels of the input, float32, rounded where segment-anything rounds.

    Segment Anything scales indices and then moves to the pixel's centre; float32 in between, so that both
    give the same numbers to the last bit.
    """
    return geometry.to_input(xy).astype(np.float32) + np.float32(0.5)


def _points(
    checked: Sequence[_Checked], geometries: Sequence[Geometry]
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    longest = max((len(entry.points) for entry in checked), default=0)
    if longest == 0:
        return None, None
    points = np.zeros((len(checked), longest, 2), dtype=np.float32)
    labels = np.full((len(checked), longest), PADDING, dtype=np.int64)
    for row, entry in enumerate(checked):
        k = len(entry.points)
        if k:
            points[row, :k] = to_input(entry.points, geometries[entry.image])
            labels[row, :k] = entry.labels
    return torch.from_numpy(points), torch.from_numpy(labels)


def _boxes(checked: Sequence[_Checked], geometries: Sequence[Geometry]) -> torch.Tensor | None:
    if all(entry.box is None for entry in checked):
        return None
    boxes = np.full((len(checked), 4), np.nan, dtype=np.float32)
    for row, entry in zip(boxes, checked, strict=True):
        if entry.box is not None:
            row[:] = to_input(entry.box, geometries[entry.image])
    return torch.from_numpy(boxes)


def _masks(checked: Sequence[_Checked], size: tuple[int, int]) -> torch.Tensor | None:
    if all(entry.mask is None for entry in checked):
        return None
    masks = np.zeros((len(checked), 1, *size), dtype=np.float32)
    for row, entry in zip(masks, checked, strict=True):
        if entry.mask is not None:
            row[:] = entry.mask
    return torch.from_numpy(masks)


def _check(
    entry: ObjectPrompt, number: int, geometries: Sequence[Geometry], mask_size: tuple[int, int]
) -> _Checked:
    where = f"object {number}"
    if not 0 <= entry.image < len(geometries):
        raise PromptError(f"{where} is on image {entry.image}, there are {len(geometries)}")
    height, width = geometries[entry.image].original
    points, labels = _check_points(entry, where, width, height)
    box = None if entry.box is None else _check_box(entry.box, where, width, height)
    mask = None if entry.mask is None else _check_mask(entry.mask, where, mask_size)
    if not len(points) and box is None and mask is None:
        raise PromptError(f"{where} has no prompt: give a point, a box or a mask")
    return _Checked(points, labels, box, mask, entry.image)


def _check_points(entry: ObjectPrompt, where: str, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    if entry.points is None:
        if entry.labels is not None:
            raise PromptError(f"{where} has labels, but no points")
        return np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
    points = _numbers(entry.points, f"the points of {where}")
    if points.ndim != 2 or points.shape[1] != 2:
        raise PromptError(f"the points of {where} must be (K, 2) x, y, got {points.shape}")
    labels = (
        np.ones(len(points)) if entry.labels is None else _numbers(entry.labels, f"the labels of {where}")
    )
    if labels.shape != (len(points),):
        raise PromptError(f"{where} has {len(points)} points and labels of shape {labels.shape}")
    wrong = [float(v) for v in labels if v not in (NEGATIVE, POSITIVE, PADDING)]
    if wrong:
        raise PromptError(f"{where} has the label {wrong[0]:g}: 1 is inside, 0 outside, -1 no point")
    used = points[labels != PADDING]
    # A pixel index i covers i - 0.5 to i + 0.5; coordinates of the other convention are let through.
    outside = (used < -0.5).any(axis=1) | (used > (width, height)).any(axis=1)
    if outside.any():
        x, y = used[outside][0]
        raise PromptError(f"{where} has a point at ({x:g}, {y:g}), outside its image of {width} x {height}")
    return used, labels[labels != PADDING].astype(np.int64)


def _check_box(box: Any, where: str, width: int, height: int) -> np.ndarray:
    box = _numbers(box, f"the box of {where}")
    if box.shape not in ((4,), (1, 4)):
        raise PromptError(f"the box of {where} must be (4,) x1, y1, x2, y2, got {box.shape}")
    x1, y1, x2, y2 = box.reshape(4)
    if x2 <= x1 or y2 <= y1:
        raise PromptError(
            f"the box of {where} is empty: ({x1:g}, {y1:g}, {x2:g}, {y2:g}) must be x1 < x2 and y1 < y2 "
            "(COCO's x, y, width, height have to be converted)"
        )
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        raise PromptError(
            f"the box of {where} ({x1:g}, {y1:g}, {x2:g}, {y2:g}) lies outside its image "
            f"of {width} x {height}"
        )
    return box.reshape(4)


def _check_mask(mask: Any, where: str, size: tuple[int, int]) -> np.ndarray:
    if isinstance(mask, torch.Tensor):
        mask = mask.detach().cpu().numpy()
    if isinstance(mask, np.ndarray) and mask.dtype.kind == "b":
        raise PromptError(
            f"the mask prompt of {where} is boolean; it takes the low-resolution logits of a prediction"
        )
    mask = _numbers(mask, f"the mask of {where}")
    if mask.shape not in (size, (1, *size)):
        raise PromptError(
            f"the mask of {where} must be logits (1, {size[0]}, {size[1]}), as a prediction returns them, "
            f"got {mask.shape}"
        )
    return mask.reshape(size)


def _numbers(values: Any, what: str) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PromptError(f"{what} must be numbers, got {values!r}") from error
    if not np.isfinite(array).all():
        raise PromptError(
            f"{what} hold values that are not finite: {array.tolist() if array.size < 9 else '...'}"
        )
    return array
