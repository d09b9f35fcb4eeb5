"""A COCO file split by subject, and its samples: prompts and targets that follow from seed and step alone."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ultrasam.converters.engine.split import fraction
from ultrasam.data import coco
from ultrasam.errors import DataError
from ultrasam.evaluate.prompting import read_checked
from ultrasam.preprocess import Geometry
from ultrasam.prompts.sample import mask_target, simulate_prompts
from ultrasam.types import Prompts

logger = logging.getLogger(__name__)
#: Mask logits have a quarter of the input's resolution.
_STRIDE = 4


@dataclass(frozen=True)
class Split:
    """The two sides of a user's COCO file.

    Attributes:
        train: images to train on.
        held_out: images to test on; no subject of them is trained on.
        summary: a line that says what is on each side.
        held_out_file: the held-out side as a COCO file.
    """

    train: list[coco.CocoImage]
    held_out: list[coco.CocoImage]
    summary: str
    held_out_file: Path


def split(
    source: Path, images: Path, out: Path, *, categories: Sequence[str] | None, share: float, seed: int
) -> Split:
    """Split a COCO file and write both sides to ``out/train.json`` and ``out/held_out.json``.

    An image's own ``split`` is kept: ``val`` and ``test`` are held out. Where the file has none, the
    ``share`` of subjects with the lowest hash is held out, at least one; with more images a subject stays
    where it was. Images without ``subject`` are split one by one, with a warning.

    Raises:
        DataError: the file is not usable, has a single subject, or its own split puts one on both sides.
    """
    used = coco.load(source, images, categories)
    content = coco.read_json(source)
    entries = {entry["id"]: entry for entry in content["images"]}
    subjects = {i.id: str(entries[i.id].get("subject") or f"image {i.id}") for i in used.images}
    unknown = sum(not entries[i.id].get("subject") for i in used.images)
    if unknown:
        logger.warning(
            "%s: %d of %d images name no subject and are split one by one; if several show one patient, "
            "the held-out scores are too good (give each image a 'subject')",
            *(source, unknown, len(used.images)),
        )
    held_out = _own_split(source, entries, subjects) or _by_hash(source, set(subjects.values()), share, seed)
    sides: dict[str, list[coco.CocoImage]] = {"train": [], "held_out": []}
    for image in used.images:
        sides["held_out" if subjects[image.id] in held_out else "train"].append(image)
    out.mkdir(parents=True, exist_ok=True)
    for name, part in sides.items():
        (out / f"{name}.json").write_text(json.dumps(_part(content, part)))
    counts = Counter(subject in held_out for subject in set(subjects.values()))
    summary = (
        f"{used.summary()}\ntrained on: {len(sides['train'])} images of {counts[False]} subjects; "
        f"held out: {len(sides['held_out'])} images of {counts[True]} subjects"
    )
    return Split(sides["train"], sides["held_out"], summary, out / "held_out.json")


def _own_split(source: Path, entries: dict[int, Any], subjects: dict[int, str]) -> set[str]:
    """The subjects that the file's own split holds out; empty where it has none."""
    sides: dict[bool, set[str]] = {True: set(), False: set()}
    for number, subject in subjects.items():
        sides[entries[number].get("split") in ("val", "test")].add(subject)
    both = sides[True] & sides[False]
    if both:
        raise DataError(
            f"{source}: the file's own split has {len(both)} subjects on both sides, {min(both)} for one; "
            "correct it, or remove 'split' from the images to have them split by subject"
        )
    return sides[True] if sides[False] else set()


def _by_hash(source: Path, subjects: set[str], share: float, seed: int) -> set[str]:
    if len(subjects) < 2:
        raise DataError(
            f"{source} shows a single subject ({min(subjects)}): one is needed to train on and another to "
            "test on"
        )
    ranked = sorted(subjects, key=lambda subject: (fraction(f"finetune {seed}", subject), subject))
    return set(ranked[: min(max(1, round(share * len(ranked))), len(ranked) - 1)])


def _part(content: dict[str, Any], images: Sequence[coco.CocoImage]) -> dict[str, Any]:
    """A COCO file of some images and those of their objects that are used."""
    wanted = {image.id for image in images}
    return {
        **content,
        "images": [entry for entry in content["images"] if entry["id"] in wanted],
        "annotations": [annotation for image in images for annotation in image.annotations],
    }


@dataclass(frozen=True)
class Batch:
    """Images with their prompts.

    Attributes:
        images: B of (H, W, 3) uint8 RGB, some of them mirrored.
        prompts: N prompts in pixels of the input.
        targets: (N, S/4, S/4) uint8, 0 or 1.
    """

    images: list[np.ndarray]
    prompts: Prompts
    targets: Tensor


def draw_batch(
    items: Sequence[coco.CocoImage], img_size: int, step: int, size: int, per_object: int, seed: int
) -> Batch:
    """The batch of a step, the same whenever it is drawn: every pass over the images in an order of its own.

    Args:
        items: the training images.
        img_size: S, side of the network's input.
        step: number of the step.
        size: B, images in a batch.
        per_object: prompts drawn for each object, points and noisy boxes half and half.
        seed: of order, flips and prompts.
    """
    images, arrays, targets = [], [], []
    for ticket in range(step * size, (step + 1) * size):
        number, place = divmod(ticket, len(items))
        index = int(np.random.default_rng([seed, number]).permutation(len(items))[place])
        rng = np.random.default_rng([seed, number, index])
        item = items[index]
        image, masks, boxes = read_checked(item), item.masks(), item.boxes()
        if rng.random() < 0.5:
            image, masks = np.ascontiguousarray(image[:, ::-1]), [mask[:, ::-1].copy() for mask in masks]
            boxes[:, [0, 2]] = item.size[1] - boxes[:, [2, 0]]
        geometry = Geometry.of(*item.size, img_size)
        images.append(image)
        arrays.append(simulate_prompts(masks * per_object, np.tile(boxes, (per_object, 1)), geometry, rng))
        targets += [mask_target(mask, geometry, img_size // _STRIDE) for mask in masks] * per_object
    counts = torch.tensor([len(a.boxes) for a in arrays])
    prompts = Prompts(
        torch.arange(len(images)).repeat_interleave(counts),
        points=torch.from_numpy(np.concatenate([a.points for a in arrays])),
        labels=torch.from_numpy(np.concatenate([a.labels for a in arrays])),
        boxes=torch.from_numpy(np.concatenate([a.boxes for a in arrays])),
    )
    return Batch(images, prompts, torch.from_numpy(np.stack(targets)))
