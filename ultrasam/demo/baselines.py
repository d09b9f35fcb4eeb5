"""What one gets without a network: the ellipse in the box, the region grown from the point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ultrasam import coco
from ultrasam.baselines import ellipse_in_box, grow_region
from ultrasam.evaluation import ImageResult, evaluate
from ultrasam.images import read_image
from ultrasam.preprocess import Geometry
from ultrasam.prompts.sample import central_point, tight_box


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
    boxes = [a["bbox"] for a in item.annotations]
    return [ellipse_in_box((x, y, x + w, y + h), item.size) for x, y, w, h in boxes]


def _region(item: coco.CocoImage, truth: Sequence[np.ndarray]) -> list[np.ndarray]:
    image = read_image(item.path)
    # A geometry that changes nothing: the point in the image's own pixels.
    here = Geometry(item.size, item.size, max(item.size))
    return [grow_region(image, central_point(mask, here)) for mask in truth]


def _result(item: coco.CocoImage, predict: Predict) -> ImageResult:
    truth = [
        coco.decode(a["segmentation"], item.size, f"{item.path}: annotation {a['id']}")
        for a in item.annotations
    ]
    masks = predict(item, truth)
    xywh = np.array([a["bbox"] for a in item.annotations], dtype=float)
    return ImageResult(
        image_id=item.id,
        dataset=item.dataset,
        size=item.size,
        truth=[coco.encode(mask) for mask in truth],
        truth_boxes=np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1),
        masks=[coco.encode(mask) for mask in masks],
        boxes=np.stack([tight_box(mask) if mask.any() else np.zeros(4) for mask in masks]),
        # A baseline has no opinion of its own masks.
        scores=np.ones(len(masks)),
    )
