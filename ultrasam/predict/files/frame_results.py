"""What is found in a frame: everything, what is prompted, or what is followed from the frame before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ultrasam.data import coco
from ultrasam.predict.automatic import Everything, find_everything
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.quality import Quality, assess
from ultrasam.predict.segmentation import Segmentation, SpacingOf, coco_entry
from ultrasam.predict.track import Follower
from ultrasam.report import draw

Spacing = tuple[float, float] | SpacingOf | None


@dataclass(frozen=True)
class FrameResult:
    """The objects of a frame.

    Attributes:
        annotations: COCO's, N of them.
        masks: N masks (H, W) bool.
        draw: makes the overlay, (H', W', 3) uint8 RGB.
        numbers: N numbers of the objects, from 1; they name their files.
        lost: numbers of objects that are followed and were not found.
    """

    annotations: list[dict[str, Any]]
    masks: Sequence[np.ndarray]
    draw: Callable[[], np.ndarray]
    numbers: Sequence[int]
    lost: list[int] = field(default_factory=list)


def of_everything(
    predictor: ObjectPredictor,
    image: np.ndarray,
    wanted: Everything,
    spacing: Spacing,
    *,
    quality: bool = False,
) -> FrameResult:
    """Automatic masks of an image (H, W, 3) uint8 RGB; with ``quality``, judged as those of prompts."""
    encoded = predictor.encode(image)
    found = find_everything(encoded, wanted)
    annotations = found.coco(spacing=spacing)
    if quality:
        annotations = _judged(annotations, assess(encoded, found))
    masks = list(found.masks)
    overlay = partial(draw.overlay, image, masks)
    return FrameResult(annotations, masks, overlay, range(1, len(masks) + 1))


def of_prompts(
    predictor: ObjectPredictor,
    images: Sequence[np.ndarray],
    objects: Sequence[Sequence[ObjectPrompt]],
    categories: Sequence[Sequence[Any]],
    spacings: Sequence[Spacing],
    *,
    multimask: bool,
    quality: bool = False,
) -> list[FrameResult]:
    """The objects of prompts on B images, segmented together.

    Args:
        predictor: segments.
        images: B images (H, W, 3) uint8 RGB, of any sizes.
        objects: the prompts of each.
        categories: the category id of each of them.
        spacings: of each image.
        multimask: the best of three masks.
        quality: judge each mask, see `ultrasam.predict.quality`.
    """
    segmented = (
        [_with_quality(predictor, *each, multimask=multimask) for each in zip(images, objects, strict=True)]
        if quality
        else [(found, None) for found in predictor.segment_each(images, objects, multimask=multimask)]
    )
    results = []
    for (found, judged), image, ids, spacing in zip(segmented, images, categories, spacings, strict=True):
        annotations = found.coco(spacing=spacing)
        if judged is not None:
            annotations = _judged(annotations, judged)
        for entry, category in zip(annotations, ids, strict=True):
            entry["category_id"] = category
        masks = list(found.masks)
        overlay = partial(found.overlay, image)
        results.append(FrameResult(annotations, masks, overlay, range(1, len(masks) + 1)))
    return results


def _with_quality(
    predictor: ObjectPredictor, image: np.ndarray, objects: Sequence[ObjectPrompt], *, multimask: bool
) -> tuple[Segmentation, Quality]:
    encoded = predictor.encode(image)
    found = encoded.segment(objects, multimask=multimask)
    return found, assess(encoded, found, multimask=multimask)


def _judged(annotations: list[dict[str, Any]], quality: Quality) -> list[dict[str, Any]]:
    return [a | told for a, told in zip(annotations, quality.entries(), strict=True)]


def of_followed(
    follower: Follower, image: np.ndarray, categories: Sequence[Any] | None, spacing: Spacing
) -> FrameResult:
    """The objects of the frame before, in the next one; the number of each is its ``track_id``.

    Each has its category id, or 1 where there are no ``categories``.
    """
    tracked = follower.step(image)
    shown = {number: entry for number, entry in tracked.items() if entry is not None}
    annotations = [
        {
            "category_id": categories[number - 1] if categories else 1,
            **coco_entry(coco.encode(entry.mask), entry.mask, entry.iou, spacing),
            "drift": entry.drift,
        }
        for number, entry in shown.items()
    ]
    masks = [entry.mask for entry in shown.values()]
    # Lost ones are drawn as nothing: the others keep their colors and lines.
    nothing = np.zeros(image.shape[:2], dtype=bool)
    drawn = [entry.mask if entry else nothing for entry in tracked.values()]
    told = [f"{number}: {entry.iou:.2f}" if entry else f"{number}: lost" for number, entry in tracked.items()]
    overlay = partial(draw.overlay, image, drawn, captions=told[:8])
    lost = [number for number in tracked if number not in shown]
    return FrameResult(annotations, masks, overlay, list(shown), lost)
