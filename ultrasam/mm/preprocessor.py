"""Batches to the device: bytes travel, normalising and padding happen there."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseDataPreprocessor

from ultrasam import preprocess


@MODELS.register_module()
class PromptDataPreprocessor(BaseDataPreprocessor):
    """Stack resized images into (B, 3, S, S) float32.

    Args:
        img_size: S, side of the network's input in pixels.
        black_padding: pad with black pixels, as published for classes, instead of the mean colour.
    """

    def __init__(self, img_size: int, black_padding: bool = False) -> None:
        super().__init__()
        self.img_size = img_size
        self.black_padding = black_padding

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """``inputs``, a list of (3, h, w) uint8, become one normalised, padded batch."""
        data = self.cast_data(data)
        if self.black_padding:
            images = [preprocess.normalize(preprocess.pad(i, self.img_size)) for i in data["inputs"]]
        else:
            images = [preprocess.pad(preprocess.normalize(i), self.img_size) for i in data["inputs"]]
        return {"inputs": torch.stack(images), "data_samples": data["data_samples"]}
