"""64 boxes on one image after the encoder, ViT-b: our predictor beside 64 calls of segment-anything's.

Both make one mask a box (multimask_output=False).
"""

from __future__ import annotations

import sys

import torch

from ultrasam.machine import process
from ultrasam.predict.object_prompt import ObjectPrompt

from . import models
from .decoder import OURS, asked_of_peer, codes, same_answers
from .harness import Bench, main

PEER = "SamPredictor"


@torch.no_grad()
def measure(bench: Bench) -> None:
    count = 8 if bench.quick else 64
    theirs, ours = models.predictors(bench.quick)
    boxes = models.boxes(count)
    objects = [ObjectPrompt(box=box) for box in boxes]

    def both() -> None:
        found = ours.segment(objects)
        assert len(found.masks) == len(found.rles())

    def compare(condition: str) -> None:
        bench.compare(
            f"{count} boxes to masks{condition}",
            {PEER: lambda: asked_of_peer(theirs, boxes), OURS: lambda: ours.segment(objects).masks},
            ours=OURS,
            goals={PEER: 2.0},
            rounds=3,
        )
        bench.compare(
            f"{count} boxes to masks and run-length codes{condition}",
            {PEER: lambda: codes(asked_of_peer(theirs, boxes)), OURS: both},
            ours=OURS,
            goals={PEER: 2.5},
            rounds=3,
        )

    compare("")
    same_answers(bench, theirs, ours, count)
    if process.keep_memory():
        compare(", allocator set for both")


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "predictor"))
