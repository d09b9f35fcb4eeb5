"""COCO scores of prompted masks: faster-coco-eval beside pycocotools."""

from __future__ import annotations

import sys

import cv2
import numpy as np

from ultrasam.data import coco
from ultrasam.data.boxes import tight_boxes
from ultrasam.evaluate.coco_map import ImageResult, accumulate, coco_map, to_coco

from .harness import Bench, main

SIZE = (600, 800)


def results(count: int) -> list[ImageResult]:
    """One ellipse an image, and as its prediction the same one moved by a few pixels."""
    rng = np.random.default_rng(0)
    found = []
    for image_id in range(1, count + 1):
        mask = np.zeros(SIZE, np.uint8)
        center, axes = rng.integers((200, 150), (600, 450)), rng.integers(30, 140, 2)
        cv2.ellipse(mask, center.tolist(), axes.tolist(), float(rng.integers(180)), 0, 360, 1, -1)
        moved = np.roll(mask, rng.integers(-10, 10, 2), (0, 1))
        truth, answer = ([coco.encode(m)] for m in (mask, moved))
        boxes = [tight_boxes([m]) for m in (mask, moved)]
        found.append(
            ImageResult(image_id, "", SIZE, truth, boxes[0], answer, boxes[1], rng.random(1).round(3))
        )
    return found


def twelve(found: list[ImageResult], kind: str, backend: str) -> np.ndarray:
    run = accumulate(*to_coco(found), kind, backend)
    run.summarize()
    return np.array(run.stats[:12])


def measure(bench: Bench) -> None:
    found = results(100 if bench.quick else 2000)
    bench.compare(
        f"{len(found)} images of {SIZE[1]} x {SIZE[0]}, an object each: mAP of masks and boxes",
        {backend: lambda b=backend: coco_map(found, b) for backend in ("pycocotools", "faster-coco-eval")},
        ours="faster-coco-eval",
        goals={"pycocotools": 3.0},
    )
    for kind in ("segm", "bbox"):
        plain, fast = (twelve(found, kind, backend) for backend in ("pycocotools", "faster-coco-eval"))
        difference = float(np.abs(plain - fast).max())
        bench.fact(f"largest difference of the 12 numbers, {kind}", difference, "0", difference < 1e-15)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "evaluation"))
