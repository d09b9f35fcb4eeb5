"""The detector of MMDetection on the small data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import ultrasam.mm  # noqa: F401
from tests.kit.miniature import SIZE
from ultrasam.mm.datasets.prompt_dataset import PromptDataset
from ultrasam.mm.models.detector import UltraSam


def detector(**kwargs: Any) -> UltraSam:
    """The smallest variant with the same random weights every time."""
    torch.manual_seed(0)
    return UltraSam(
        network={"variant": "vit_t", "img_size": SIZE},
        data_preprocessor={"type": "PromptDataPreprocessor", "img_size": SIZE},
        **kwargs,
    )


def batch(data: Path, test_mode: bool = False, num: int = 3) -> dict[str, list[Any]]:
    """The first samples of the training images."""
    used = PromptDataset(
        img_size=SIZE,
        data_root=f"{data}/",
        data_prefix={"img": "images/"},
        ann_file="annotations/train.agnostic.json",
        test_mode=test_mode,
    )
    samples = [used[i] for i in range(num)]
    return {"inputs": [s["inputs"] for s in samples], "data_samples": [s["data_samples"] for s in samples]}
