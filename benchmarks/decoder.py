"""16 boxes to 16 run-length codes and one box to one, after the encoder, beside SamPredictor and pycocotools.

ViT-b's shapes. All sides make one mask a box (multimask_output=False).
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask

from ultrasam.machine import process
from ultrasam.modeling.kernels import products
from ultrasam.predict.object_prompt import ObjectPrompt

from . import models
from .harness import Bench, main

ONEDNN = "oneDNN"
OURS, PEER = "UltraSam", "SamPredictor + pycocotools"


def asked_of_peer(predictor: Any, boxes: np.ndarray) -> np.ndarray:
    """A call for each box, as its users write it: masks (N, H, W)."""
    return np.concatenate([predictor.predict(box=box, multimask_output=False)[0] for box in boxes])


def codes(masks: np.ndarray) -> list[str]:
    """By pycocotools, from full masks."""
    return [coco_mask.encode(np.asfortranarray(m, np.uint8))["counts"].decode() for m in masks]


@torch.no_grad()
def measure(bench: Bench) -> None:
    theirs, ours = models.predictors(bench.quick)
    for count, goal in ((16, 2.0), (1, 1.2)):
        boxes = models.boxes(count)
        objects = [ObjectPrompt(box=box) for box in boxes]

        def peer(boxes: np.ndarray = boxes) -> list[str]:
            return codes(asked_of_peer(theirs, boxes))

        def work(objects: list[ObjectPrompt] = objects) -> list[str]:
            return [code["counts"] for code in ours.segment(objects).rles()]

        title = f"{count} box{'es' if count > 1 else ''} to codes"
        bench.compare(title, {PEER: peer, OURS: work}, ours=OURS, goals={PEER: goal})
    same_answers(bench, theirs, ours, 16)
    boxes, objects = models.boxes(16), [ObjectPrompt(box=box) for box in models.boxes(16)]
    bench.compare(
        "16 boxes to codes here, by library of matrix products",
        {library: partial(_with, library == ONEDNN, ours, objects) for library in ("torch's own", ONEDNN)},
        ours=ONEDNN,
    )
    if process.keep_memory():
        bench.compare(
            "16 boxes to codes, allocator set for both",
            {
                PEER: lambda: codes(asked_of_peer(theirs, boxes)),
                OURS: lambda: ours.segment(objects).rles(),
            },
            ours=OURS,
            goals={PEER: 2.0},
        )


def _with(onednn: bool, ours: Any, objects: list[ObjectPrompt]) -> None:
    with products.forced(onednn):
        ours.segment(objects).rles()


def same_answers(bench: Bench, theirs: Any, ours: Any, count: int) -> None:
    """How far the answers agree; as a yardstick, segment-anything's own, batched and one by one."""
    boxes = models.boxes(count)
    found = ours.segment([ObjectPrompt(box=box) for box in boxes])
    low = np.stack([theirs.predict(box=box, multimask_output=False)[2][0] for box in boxes])
    bench.fact(
        "logits, relative error",
        f"{np.linalg.norm(np.asarray(found.logits) - low) / np.linalg.norm(low):.1e}",
    )
    expected = asked_of_peer(theirs, boxes)
    same = sum(a == b["counts"] for a, b in zip(codes(expected), found.rles(), strict=True))
    bench.fact("codes with identical bytes", f"{same} of {count}", "all", same == count)
    differ = int((found.masks != expected).sum())
    bench.fact("pixels that differ", f"{differ} of {expected.size}, foreground {expected.mean():.3f}")
    together = theirs.predict_torch(
        None, None, theirs.transform.apply_boxes_torch(torch.from_numpy(boxes), models.SIZE), None, False
    )[0][:, 0].numpy()
    bench.fact(
        "pixels that differ within segment-anything, boxes together and one by one",
        f"{int((together != expected).sum())}",
    )
    own = [code["counts"] for code in found.rles()] == codes(found.masks)
    bench.fact("codes equal pycocotools' of our full masks", "yes" if own else "no", "yes", own)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "decoder"))
