"""Batches to the device: bytes travel, normalizing and padding happen there."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models import DetDataPreprocessor
from mmdet.registry import MODELS
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ultrasam import preprocess
from ultrasam.preprocess import PIXEL_MEAN, PIXEL_STD, Geometry, Normalization


def fitted(data: dict[str, Any], size: int) -> dict[str, Any]:
    """A batch whose images are all of the network's size: those of no data set are as read so far."""
    images = []
    for image, sample in zip(data["inputs"], data["data_samples"], strict=True):
        if "img_shape" not in sample:
            height, width = image.shape[1:]
            geometry = Geometry.of(height, width, size)
            resized = preprocess.resize_image(image.permute(1, 2, 0).cpu().numpy(), geometry)
            image = torch.from_numpy(resized).permute(2, 0, 1).contiguous()
            sample.set_metainfo({"img_shape": geometry.resized, "scale_factor": geometry.scale})
        images.append(image)
    return {**data, "inputs": images}


@MODELS.register_module()
class PromptDataPreprocessor(BaseDataPreprocessor):
    """Stack images into (B, 3, S, S) float32.

    Args:
        img_size: S, side of the network's input in pixels.
        black_padding: pad with black pixels, as published for classes, instead of the mean color.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, img_size: int, black_padding: bool = False) -> None:
        super().__init__(non_blocking=True)
        self.img_size = img_size
        self.black_padding = black_padding
        #: As the model's weights want it, see `ModelUsage`.
        self.normalization: Normalization = "imagenet"
        # On the device once: making them there for each image would let the processor wait for the GPU.
        self.register_buffer("mean", torch.tensor(preprocess.PIXEL_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocess.PIXEL_STD).view(3, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """``inputs``, a list of (3, h, w) uint8, become one normalized, padded batch."""
        data = self.cast_data(fitted(data, self.img_size))
        for sample in data["data_samples"]:
            sample.set_field((self.img_size, self.img_size), "pad_shape", field_type="metainfo")
        images = [self._padded(image) for image in data["inputs"]]
        return {"inputs": torch.stack(images), "data_samples": data["data_samples"]}

    def _padded(self, image: Tensor) -> Tensor:
        """(3, h, w) uint8 -> (3, S, S) float32."""
        if self.normalization != "imagenet":
            return preprocess.pad(preprocess.normalize(image, self.normalization), self.img_size)
        if self.black_padding:
            return (preprocess.pad(image, self.img_size) - self.mean) / self.std
        return preprocess.pad((image - self.mean) / self.std, self.img_size)


@MODELS.register_module()
class InstanceDataPreprocessor(DetDataPreprocessor):
    """Normalize and pad to the square input, images and masks.

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
        data = fitted(data, self.img_size)
        self.pad_size_divisor = self.img_size if training else self.test_divisor or self.img_size
        return super().forward(data, training)
