"""Testing without OpenMMLab: one prompt for each object of a COCO file, one mask for each prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tqdm import tqdm

from ultrasam.data import coco
from ultrasam.data.boxes import tight_boxes
from ultrasam.data.images import read_image
from ultrasam.errors import DataError
from ultrasam.evaluate.coco_map import ImageResult
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.predictor import Predictor
from ultrasam.preprocess import Geometry
from ultrasam.prompts.sample import PromptKind, central_point


def read_checked(item: coco.CocoImage) -> np.ndarray:
    """The image of a COCO file's entry, (H, W, 3) uint8 RGB.

    Raises:
        DataError: it is unreadable, or of another size than the file says.
    """
    image = read_image(item.path)
    if image.shape[:2] != item.size:
        raise DataError(
            f"{item.path} is {image.shape[1]} x {image.shape[0]} pixels, its COCO file says "
            f"{item.size[1]} x {item.size[0]} (image id {item.id})"
        )
    return image


def image_result(
    item: coco.CocoImage, truth: Sequence[np.ndarray], masks: Sequence[np.ndarray], scores: np.ndarray
) -> ImageResult:
    """The record of n predicted masks (H, W) bool for an image's n objects, with their scores (n,)."""
    return ImageResult(
        image_id=item.id,
        dataset=item.dataset,
        size=item.size,
        truth=[coco.encode(mask) for mask in truth],
        truth_boxes=item.boxes(),
        masks=[coco.encode(mask) for mask in masks],
        boxes=tight_boxes(masks),
        scores=scores,
    )


def object_prompts(item: coco.CocoImage, truth: Sequence[np.ndarray], kind: PromptKind) -> list[ObjectPrompt]:
    """The annotated box, or the point in the middle of the mask, of each object."""
    if kind == "box":
        return [ObjectPrompt(box=box) for box in item.boxes()]
    here = Geometry(item.size, item.size, max(item.size))
    # `ObjectPrompt` takes pixel indices: half a pixel less than where a place in the image is.
    return [ObjectPrompt(points=central_point(mask, here)[None] - 0.5) for mask in truth]


def score_images(
    predictor: Predictor,
    items: Sequence[coco.CocoImage],
    kinds: Sequence[PromptKind] = ("box", "point"),
    *,
    multimask: Callable[[PromptKind], bool] = lambda kind: True,
    describe: str = "testing",
) -> dict[PromptKind, list[ImageResult]]:
    """Prompt every object of every image; an image is encoded once for all kinds of prompt.

    Args:
        predictor: with its own preprocessing, refinement and post-processing.
        items: images with their objects.
        kinds: of prompts.
        multimask: whether, for a kind, three masks are made and the best kept, as ``ultrasam predict`` does.
        describe: what the progress bar says.
    """
    results: dict[PromptKind, list[ImageResult]] = {kind: [] for kind in kinds}
    for item in tqdm(items, desc=describe, unit="image"):
        predictor.set_image(read_checked(item))
        truth = item.masks()
        for kind in kinds:
            found = predictor.segment(object_prompts(item, truth, kind), multimask=multimask(kind))
            results[kind].append(image_result(item, truth, list(found.masks), found.scores))
    return results
