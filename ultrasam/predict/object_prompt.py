"""What a user says of one object, checked, and many of them packed into one flat batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.errors import PromptError
from ultrasam.preprocess import Geometry
from ultrasam.types import NEGATIVE, PADDING, POSITIVE, Prompts, pixel_centers, pixel_indices


@dataclass(frozen=True)
class ObjectPrompt:
    """Everything known of one object, in continuous pixels of its image, see `ultrasam.types`.

    Attributes:
        points: (K, 2) xy, or None; (0.5, 0.5) is the center of the top-left pixel.
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


def check(
    objects: Sequence[ObjectPrompt], geometries: Sequence[Geometry], mask_size: tuple[int, int]
) -> list[ObjectPrompt]:
    """N objects over B images as arrays, or None: points (K, 2), labels (K,), box (4,), mask (4h, 4w).

    Raises:
        PromptError: it names the object and what is wrong with it.
    """
    return [_check(entry, number, geometries, mask_size) for number, entry in enumerate(objects, start=1)]


def pack(
    objects: Sequence[ObjectPrompt], geometries: Sequence[Geometry], mask_size: tuple[int, int]
) -> Prompts[NDArray[Any]]:
    """The prompts of N objects over B images, in pixels of the network's input.

    Args:
        objects: N of them, from `check`.
        geometries: of the B images.
        mask_size: (4h, 4w) of a mask prompt.
    """
    masks = _masks(objects, mask_size)
    return Prompts(
        np.array([entry.image for entry in objects], dtype=np.int64),
        *_points(objects, geometries),
        boxes=_boxes(objects, geometries),
        masks=masks,
        has_mask=None if masks is None else np.array([entry.mask is not None for entry in objects]),
    )


def _to_input(indices: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Pixel indices of an image as pixels of the input, float32.

    Segment Anything scales indices and then moves to the pixel's center, for points and for the corners of
    boxes alike; its weights, and those that come from them, know prompts at these places. float32 in between
    gives its numbers to the last bit.
    """
    return pixel_centers(geometry.to_input(indices).astype(np.float32))


def _points(
    objects: Sequence[ObjectPrompt], geometries: Sequence[Geometry]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    longest = max((len(entry.points) for entry in objects if entry.points is not None), default=0)
    if longest == 0:
        return None, None
    points = np.zeros((len(objects), longest, 2), dtype=np.float32)
    labels = np.full((len(objects), longest), PADDING, dtype=np.int64)
    for row, entry in enumerate(objects):
        if entry.points is not None:
            k = len(entry.points)
            points[row, :k] = _to_input(pixel_indices(entry.points), geometries[entry.image])
            labels[row, :k] = entry.labels
    return points, labels


def _boxes(objects: Sequence[ObjectPrompt], geometries: Sequence[Geometry]) -> np.ndarray | None:
    if all(entry.box is None for entry in objects):
        return None
    boxes = np.full((len(objects), 4), np.nan, dtype=np.float32)
    for row, entry in zip(boxes, objects, strict=True):
        if entry.box is not None:
            # Edges, taken for indices: see `ultrasam.types`.
            row[:] = _to_input(entry.box, geometries[entry.image])
    return boxes


def _masks(objects: Sequence[ObjectPrompt], size: tuple[int, int]) -> np.ndarray | None:
    if all(entry.mask is None for entry in objects):
        return None
    masks = np.zeros((len(objects), 1, *size), dtype=np.float32)
    for row, entry in zip(masks, objects, strict=True):
        if entry.mask is not None:
            row[:] = entry.mask
    return masks


def _check(
    entry: ObjectPrompt, number: int, geometries: Sequence[Geometry], mask_size: tuple[int, int]
) -> ObjectPrompt:
    where = f"object {number}"
    if not 0 <= entry.image < len(geometries):
        raise PromptError(f"{where} is on image {entry.image}, there are {len(geometries)}")
    height, width = geometries[entry.image].original
    points, labels = _check_points(entry, where, width, height)
    box = None if entry.box is None else _check_box(entry.box, where, width, height)
    mask = None if entry.mask is None else _check_mask(entry.mask, where, mask_size)
    if len(points):
        return ObjectPrompt(points, labels, box, mask, entry.image)
    if box is None and mask is None:
        raise PromptError(f"{where} has no prompt: give a point, a box or a mask")
    return ObjectPrompt(box=box, mask=mask, image=entry.image)


def _check_points(entry: ObjectPrompt, where: str, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    if entry.points is None:
        if entry.labels is not None:
            raise PromptError(f"{where} has labels, but no points")
        return np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
    points = numbers(entry.points, f"the points of {where}")
    if points.ndim != 2 or points.shape[1] != 2:
        raise PromptError(f"the points of {where} must be (K, 2) x, y, got {points.shape}")
    labels = np.ones(len(points)) if entry.labels is None else numbers(entry.labels, f"the labels of {where}")
    if labels.shape != (len(points),):
        raise PromptError(f"{where} has {len(points)} points and labels of shape {labels.shape}")
    wrong = [float(v) for v in labels if v not in (NEGATIVE, POSITIVE, PADDING)]
    if wrong:
        raise PromptError(f"{where} has the label {wrong[0]:g}: 1 is inside, 0 outside, -1 no point")
    used = points[labels != PADDING]
    # Half a pixel too far is let through: of places that were taken for indices.
    outside = (used < 0).any(axis=1) | (used > (width + 0.5, height + 0.5)).any(axis=1)
    if outside.any():
        x, y = used[outside][0]
        raise PromptError(
            f"{where} has a point at ({x:g}, {y:g}), outside its image of {width} x {height} "
            "(0.5, 0.5 is the center of its first pixel)"
        )
    return used, labels[labels != PADDING].astype(np.int64)


def _check_box(box: Any, where: str, width: int, height: int) -> np.ndarray:
    box = numbers(box, f"the box of {where}")
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
    mask = _as_array(mask)
    if isinstance(mask, np.ndarray) and mask.dtype.kind == "b":
        raise PromptError(
            f"the mask prompt of {where} is boolean; it takes the low-resolution logits of a prediction"
        )
    mask = numbers(mask, f"the mask of {where}")
    if mask.shape not in (size, (1, *size)):
        raise PromptError(
            f"the mask of {where} must be logits (1, {size[0]}, {size[1]}), as a prediction returns them, "
            f"got {mask.shape}"
        )
    return mask.reshape(size)


def numbers(values: Any, what: str) -> np.ndarray:
    """Anything like an array of numbers as float64; ``what`` it is, for the error.

    Raises:
        PromptError: not numbers, or not finite.
    """
    try:
        array = np.asarray(_as_array(values), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PromptError(f"{what} must be numbers, got {values!r}") from error
    if not np.isfinite(array).all():
        raise PromptError(
            f"{what} hold values that are not finite: {array.tolist() if array.size < 9 else '...'}"
        )
    return array


def _as_array(values: Any) -> Any:
    """A tensor, of any device, as an array; anything else as it is."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values
