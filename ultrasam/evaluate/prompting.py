"""One prompt for each object of a COCO file, one mask for each prompt; without OpenMMLab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from ultrasam.data import coco
from ultrasam.data.boxes import tight_boxes
from ultrasam.data.images import read_as_stated
from ultrasam.evaluate.baselines import ellipse_in_box, grow_region
from ultrasam.evaluate.coco_map import ImageResult, evaluate
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.prompts.sample import PromptKind, central_point


class Segmenter(Protocol):
    """What answers prompts: `ultrasam.Predictor`, a baseline, or an adapter of a foreign model.

    An adapter's answers need ``masks`` and ``scores`` alone; where they have ``logits`` (n, ...) too, a
    session of clicks hands each object's back as the ``mask`` of its next prompt.
    """

    def set_image(self, image: np.ndarray) -> Any:
        """Take an image (H, W, 3) uint8 RGB."""

    def segment(self, objects: Sequence[ObjectPrompt], *, multimask: bool = False) -> Any:
        """`Answers` for n objects of the image, or what has the same attributes."""


@dataclass(frozen=True)
class Answers:
    """Masks of n objects.

    Attributes:
        masks: (n, H, W) bool.
        scores: (n,) predicted IoU.
    """

    masks: np.ndarray
    scores: np.ndarray


class Baselines:
    """A `Segmenter` without a network: the ellipse in a box, the region grown from a point."""

    def set_image(self, image: np.ndarray) -> None:
        """Take an image (H, W, 3) uint8 RGB."""
        self.image = image

    def segment(self, objects: Sequence[ObjectPrompt], *, multimask: bool = False) -> Answers:
        """A mask for each box or point; all have the score 1, as a baseline has no opinion of its masks."""
        masks = [
            grow_region(self.image, prompt.points[0])
            if prompt.box is None
            else ellipse_in_box(prompt.box, self.image.shape[:2])
            for prompt in objects
        ]
        return Answers(np.stack(masks), np.ones(len(masks)))


def read_checked(item: coco.CocoImage) -> np.ndarray:
    """The image of a COCO file's entry, (H, W, 3) uint8 RGB.

    Raises:
        DataError: it is unreadable, or of another size than the file says.
    """
    return read_as_stated(item.path, item.size, f"image id {item.id}")


def central_points(targets: Sequence[np.ndarray]) -> np.ndarray:
    """The points (n, 2) xy that a user would click in the middle of n masks (H, W) bool, in their pixels."""
    return np.array([central_point(mask) for mask in targets])


def as_prompts(kind: str, places: Iterable[np.ndarray]) -> list[ObjectPrompt]:
    """A prompt for each object.

    Args:
        kind: ``box`` or ``point``.
        places: of each object, in pixels of the image: a box (4,) xyxy, or points (2,) or (K, 2) xy.
    """
    if kind == "box":
        return [ObjectPrompt(box=box) for box in places]
    return [ObjectPrompt(points=np.atleast_2d(points)) for points in places]


def object_prompts(
    item: coco.CocoImage, targets: Sequence[np.ndarray], kind: PromptKind
) -> list[ObjectPrompt]:
    """The annotated box, or the point in the middle of the mask, of each object."""
    return as_prompts(kind, item.boxes() if kind == "box" else central_points(targets))


def image_result(
    item: coco.CocoImage, targets: Sequence[np.ndarray], masks: Sequence[np.ndarray], scores: np.ndarray
) -> ImageResult:
    """The record of n predicted masks (H, W) bool for an image's n objects, with their scores (n,)."""
    return ImageResult(
        image_id=item.id,
        dataset=item.dataset,
        size=item.size,
        targets=[coco.encode(mask) for mask in targets],
        target_boxes=item.boxes(),
        predictions=[coco.encode(mask) for mask in masks],
        prediction_boxes=tight_boxes(masks),
        scores=scores,
    )


def score_images(
    segmenter: Segmenter,
    items: Sequence[coco.CocoImage],
    kinds: Sequence[PromptKind] = ("box", "point"),
    *,
    multimask: Callable[[PromptKind], bool] = lambda kind: True,
    describe: str = "testing",
) -> dict[PromptKind, list[ImageResult]]:
    """Prompt every object of every image; an image is encoded once for all kinds of prompt.

    Args:
        segmenter: a predictor with its own preprocessing, refinement and post-processing, or `Baselines`.
        items: images with their objects.
        kinds: of prompts.
        multimask: whether, for a kind, three masks are made and the best kept, as ``ultrasam predict`` does.
        describe: what the progress bar says.
    """
    results: dict[PromptKind, list[ImageResult]] = {kind: [] for kind in kinds}
    for item in tqdm(items, desc=describe, unit="image"):
        segmenter.set_image(read_checked(item))
        targets = item.masks()
        for kind in kinds:
            answers = segmenter.segment(object_prompts(item, targets, kind), multimask=multimask(kind))
            results[kind].append(image_result(item, targets, list(answers.masks), answers.scores))
    return results


def score_baselines(annotations: Path, images: Path) -> dict[str, dict[str, float]]:
    """Scores of both baselines with the prompts that the model is tested with, by kind of prompt."""
    results = score_images(Baselines(), coco.load(annotations, images).images, describe="baselines")
    return {kind: evaluate(part) for kind, part in results.items()}
