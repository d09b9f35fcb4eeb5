"""Batches to the device: bytes travel, normalising and padding happen there."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models import DetDataPreprocessor
from mmdet.registry import MODELS
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ultrasam import preprocess
from ultrasam.preprocess import PIXEL_MEAN, PIXEL_STD


@MODELS.register_module()
class PromptDataPreprocessor(BaseDataPreprocessor):
    """Stack resized images into (B, 3, S, S) float32.

    Args:
        img_size: S, side of the network's input in pixels.
        black_padding: pad with black pixels, as published for classes, instead of the mean colour.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, img_size: int, black_padding: bool = False) -> None:
        super().__init__(non_blocking=True)
        self.img_size = img_size
        self.black_padding = black_padding
        # On the device once: making them there for each image would let the processor wait for the GPU.
        self.register_buffer("mean", torch.tensor(preprocess.PIXEL_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocess.PIXEL_STD).view(3, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """``inputs``, a list of (3, h, w) uint8, become one normalised, padded batch."""
        data = self.cast_data(data)
        images = [self._padded(image) for image in data["inputs"]]
        return {"inputs": torch.stack(images), "data_samples": data["data_samples"]}

    def _padded(self, image: Tensor) -> Tensor:
        """(3, h, w) uint8 -> (3, S, S) float32."""
        if self.black_padding:
            return (preprocess.pad(image, self.img_size) - self.mean) / self.std
        return preprocess.pad((image - self.mean) / self.std, self.img_size)


@MODELS.register_module()
class InstanceDataPreprocessor(DetDataPreprocessor):
    """Normalise and pad to the square input, images and masks.

    Args:
        img_size: S, side of the network's input.
        test_divisor: in testing pad to a multiple of this only, as released; None pads to S there too.
    """

    def __init__(self, img_size: int, test_divisor: int | None = None) -> None:
        super().__init__(mean=PIXEL_MEAN, std=PIXEL_STD, pad_size_divisor=img_size, pad_mask=True)
        self.img_size = img_size
        self.test_divisor = test_divisor

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """``inputs``, a list of (3, h, w) uint8, become one batch."""
        self.pad_size_divisor = self.img_size if training else self.test_divisor or self.img_size
        return super().forward(data, training)
