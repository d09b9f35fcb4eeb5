"""What one gets without a network: the ellipse in the box, the region grown from the point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ultrasam.data import coco
from ultrasam.data.images import read_image
from ultrasam.evaluate.baselines import ellipse_in_box, grow_region
from ultrasam.evaluate.coco_map import ImageResult, evaluate
from ultrasam.evaluate.prompting import image_result
from ultrasam.preprocess import Geometry
from ultrasam.prompts.sample import central_point


def score_baselines(annotations: Path, images: Path) -> dict[str, dict[str, float]]:
    """Scores of both baselines with the prompts that the model is tested with, by kind of prompt."""
    used = coco.load(annotations, images).images
    return {
        "box": evaluate([_result(item, _ellipse) for item in used]),
        "point": evaluate(
            [_result(item, _region) for item in tqdm(used, desc="growing regions", unit="image")]
        ),
    }


Predict = Callable[[coco.CocoImage, Sequence[np.ndarray]], list[np.ndarray]]


def _ellipse(item: coco.CocoImage, truth: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [ellipse_in_box(box, item.size) for box in item.boxes()]


def _region(item: coco.CocoImage, truth: Sequence[np.ndarray]) -> list[np.ndarray]:
    image = read_image(item.path)
    # A geometry that changes nothing: the point in the image's own pixels.
    here = Geometry(item.size, item.size, max(item.size))
    return [grow_region(image, central_point(mask, here)) for mask in truth]


def _result(item: coco.CocoImage, predict: Predict) -> ImageResult:
    truth = item.masks()
    # A baseline has no opinion of its own masks.
    return image_result(item, truth, predict(item, truth), np.ones(len(truth)))
