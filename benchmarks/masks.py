"""Logits to full-size masks and run-length codes, beside segment-anything's path.

Its path enlarges the whole picture twice, takes what is above zero and encodes it as its automatic generator
does. Smooth blobs of about 1 %, 5 % and 30 % of a picture of 750 x 1000 pixels, sixteen of each.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor

from ultrasam.machine.torchvision_compat import bridge_torchvision
from ultrasam.predict import masks
from ultrasam.preprocess import Geometry, to_masks

from .harness import Bench, main

SIZE = (750, 1000)
OURS = "UltraSam"
AMG, PYCOCO = "segment-anything", "its masks, pycocotools' codes"


def blobs(count: int, share: float) -> Tensor:
    """Logits (N, 256, 256) whose masks take a share of the picture; ragged like a network's."""
    generator = torch.Generator().manual_seed(0)
    radius = (share * 256 * 192 / np.pi) ** 0.5
    noise = torch.nn.functional.interpolate(
        torch.randn(count, 1, 24, 24, generator=generator), (256, 256), mode="bicubic"
    )[:, 0]
    room = max(128 - radius, 0), max(96 - radius, 0)
    center = torch.rand(count, 2, generator=generator) * 2 - 1
    x = torch.arange(256)[None, None] - 128 - center[:, :1, None] * room[0]
    y = torch.arange(256)[None, :, None] - 96 - center[:, 1:, None] * room[1]
    return (radius - (x**2 + y**2).sqrt()) / 3 + noise


def enlarged(logits: Tensor, geometry: Geometry, mode: str) -> Tensor:
    """(N, H, W) by two interpolations of everything."""
    return to_masks(logits[:, None], geometry, mode)[:, 0]


@torch.no_grad()
def measure(bench: Bench) -> None:
    bridge_torchvision()
    from segment_anything.utils.amg import coco_encode_rle, mask_to_rle_pytorch

    geometry = Geometry.of(*SIZE, 1024)
    count = 2 if bench.quick else 16

    def of_peer(logits: Tensor) -> list[str]:
        codes: list[Any] = mask_to_rle_pytorch(enlarged(logits, geometry, "logits"))
        return [coco_encode_rle(code)["counts"] for code in codes]

    def of_pycocotools(logits: Tensor, mode: str = "logits") -> list[str]:
        found = enlarged(logits, geometry, mode).numpy()
        return [coco_mask.encode(np.asfortranarray(m, np.uint8))["counts"].decode() for m in found]

    def of_ours(logits: Tensor, mode: str = "logits") -> list[str]:
        return [code["counts"] for code in masks.rles_of(logits, geometry, mode)]

    for share in (0.01, 0.05, 0.3):
        logits = blobs(count, share)
        title = f"{count} masks of {share:.0%} to codes"
        works = {AMG: partial(of_peer, logits), PYCOCO: partial(of_pycocotools, logits, "logits")}
        works[OURS] = partial(of_ours, logits, "logits")
        bench.compare(title, works, ours=OURS, goals={AMG: 8.0}, rounds=7)
        official = {PYCOCO: partial(of_pycocotools, logits, "official")}
        official[OURS] = partial(of_ours, logits, "official")
        bench.compare(f"{title}, official mode", official, ours=OURS, rounds=3)
        taken = float(enlarged(logits, geometry, "logits").float().mean())
        same = works[OURS]() == works[AMG]() == works[PYCOCO]()
        bench.fact(f"bytes identical at {taken:.1%} of the frame", "yes" if same else "no", "yes", same)
        same = official[OURS]() == official[PYCOCO]()
        bench.fact("bytes identical in official mode", "yes" if same else "no", "yes", same)


if __name__ == "__main__":
    sys.exit(main(measure, __doc__, "masks"))
