"""Batches of a COCO file's images: prompts and targets that follow from seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ultrasam.data import coco
from ultrasam.data.boxes import tight_box, tight_boxes
from ultrasam.data.images import mirror
from ultrasam.evaluate.prompting import read_checked
from ultrasam.preprocess import Geometry, region
from ultrasam.prompts.sample import draw_sample
from ultrasam.types import MASK_STRIDE, Prompts

#: Share of images that are cut, in how many ways each, and which share of the region the object then takes.
_CLOSER, _REGIONS, _SHARES = 0.7, 8, (0.5, 0.9)


@dataclass(frozen=True)
class Batch:
    """Images with their prompts.

    Attributes:
        images: B of (H, W, 3) uint8 RGB, some of them mirrored.
        prompts: N prompts in pixels of the input.
        targets: (N, S/4, S/4) uint8, 0 or 1.
        names: B files that the images come from.
    """

    images: list[np.ndarray]
    prompts: Prompts
    targets: Tensor
    names: list[str]


def draw_batch(
    items: Sequence[coco.CocoImage],
    img_size: int,
    step: int,
    size: int,
    per_object: int,
    seed: int,
    mask_stride: int = MASK_STRIDE,
    closer: bool = False,
) -> Batch:
    """The batch of a step, the same whenever it is drawn: every pass over the images in an order of its own.

    Args:
        items: the training images.
        img_size: S, side of the network's input.
        step: number of the step.
        size: B, images in a batch.
        per_object: prompts drawn for each object, points and noisy boxes half and half.
        seed: of order, flips and prompts.
        mask_stride: side of a target's cell in pixels of the input.
        closer: cut most images to the region round an object, as a predictor that looks closer does.
    """
    images, prompts, targets, names = [], [], [], []
    for ticket in range(step * size, (step + 1) * size):
        number, place = divmod(ticket, len(items))
        index = int(np.random.default_rng([seed, number]).permutation(len(items))[place])
        rng = np.random.default_rng([seed, number, index])
        item = items[index]
        image, masks, boxes = read_checked(item), item.masks(), item.boxes()
        if closer and rng.random() < _CLOSER:
            # Few regions an image, so that embeddings that are kept are of use again.
            image, masks, boxes = _cut(image, masks, np.random.default_rng([seed, number % _REGIONS, index]))
        if rng.random() < 0.5:
            image, masks, boxes = mirror(image, masks, boxes)
        drawn = draw_sample(
            masks,
            boxes,
            Geometry.of(image.shape[0], image.shape[1], img_size),
            rng,
            per_object=per_object,
            mask_stride=mask_stride,
        )
        images.append(image)
        prompts.append(drawn[0])
        targets.append(drawn[1])
        names.append(f"{item.path} (id {item.id})")
    return Batch(images, Prompts.of_images(prompts), torch.from_numpy(np.concatenate(targets)), names)


def _cut(
    image: np.ndarray, masks: list[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """An image (H, W, 3) cut to the region round one of its objects, and what it shows of all of them."""
    chosen = masks[int(rng.integers(len(masks)))]
    height, width = image.shape[:2]
    x1, y1, x2, y2 = region(tight_box(chosen), height, width, float(rng.uniform(*_SHARES)))
    parts = [mask[y1:y2, x1:x2] for mask in masks]
    # Of objects that the region hardly touches, nothing can be learned.
    shown = [part for part, whole in zip(parts, masks, strict=True) if 2 * part.sum() > whole.sum()]
    return np.ascontiguousarray(image[y1:y2, x1:x2]), shown, tight_boxes(shown)
