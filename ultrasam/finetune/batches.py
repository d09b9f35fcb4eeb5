"""Batches of a COCO file's images: prompts and targets that follow from seed and step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ultrasam.data import coco
from ultrasam.data.images import mirror
from ultrasam.evaluate.prompting import read_checked
from ultrasam.preprocess import Geometry
from ultrasam.prompts.sample import draw_sample
from ultrasam.types import MASK_STRIDE, Prompts


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
    """
    images, prompts, targets, names = [], [], [], []
    for ticket in range(step * size, (step + 1) * size):
        number, place = divmod(ticket, len(items))
        index = int(np.random.default_rng([seed, number]).permutation(len(items))[place])
        rng = np.random.default_rng([seed, number, index])
        item = items[index]
        image, masks, boxes = read_checked(item), item.masks(), item.boxes()
        if rng.random() < 0.5:
            image, masks, boxes = mirror(image, masks, boxes)
        drawn = draw_sample(
            masks,
            boxes,
            Geometry.of(*item.size, img_size),
            rng,
            per_object=per_object,
            mask_stride=mask_stride,
        )
        images.append(image)
        prompts.append(drawn[0])
        targets.append(drawn[1])
        names.append(f"{item.path} (id {item.id})")
    return Batch(images, Prompts.of_images(prompts), torch.from_numpy(np.concatenate(targets)), names)
