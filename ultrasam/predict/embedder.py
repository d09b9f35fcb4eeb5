"""Images to embeddings: one setting of resizing, precision and cache, used by everything that predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ultrasam import preprocess
from ultrasam.errors import UltraSamError
from ultrasam.modeling.sam import Sam
from ultrasam.predict.embeddings_cache import EmbeddingsCache, fingerprint
from ultrasam.preprocess import Geometry, Resampling, SizeRule


@dataclass
class Embedder:
    """Encodes RGB images with a model.

    Attributes:
        model: the model.
        size_rule: how the resized image's sides are rounded.
        resampling: how it is resized.
        dtype: half precision for the encoder, None for the model's own.
        cache: embeddings on disk, or None.
        batch: images encoded together; a CPU gains nothing from more than one.
    """

    model: Sam
    size_rule: SizeRule = "round"
    resampling: Resampling = "opencv"
    dtype: torch.dtype | None = None
    cache: EmbeddingsCache | None = None
    batch: int = 8
    _fingerprint: str = ""

    def __post_init__(self) -> None:
        preprocess.require_one_of("size_rule", self.size_rule, SizeRule)
        preprocess.require_one_of("resampling", self.resampling, Resampling)
        if self.dtype not in (None, torch.bfloat16, torch.float16, torch.float32):
            raise UltraSamError(f"dtype is torch.bfloat16, torch.float16 or None, not {self.dtype!r}")

    def geometry(self, image: np.ndarray) -> Geometry:
        """How an image (H, W, 3) lies in the input."""
        return Geometry.of(image.shape[0], image.shape[1], self.model.img_size, self.size_rule)

    def embed(self, images: list[np.ndarray]) -> Tensor:
        """RGB images (H, W, 3) uint8 -> embeddings (B, C, h, w) float32 on the model's device."""
        keys = [self._key(image) for image in images]
        kept = [self.cache.get(key) if self.cache and key else None for key in keys]
        missing = [i for i, embedding in enumerate(kept) if embedding is None]
        step = self.batch if self.model.device.type == "cuda" else 1
        for start in range(0, len(missing), step):
            rows = missing[start : start + step]
            inputs = [self._input(images[i]) for i in rows]
            # As the cache gives them back: another layout in memory may be rounded otherwise later on.
            encoded = self.encode(torch.stack(inputs)).contiguous()
            for i, embedding in zip(rows, encoded.split(1), strict=True):
                kept[i] = embedding
                if self.cache and keys[i]:
                    self.cache.put(keys[i], embedding)
        return torch.cat([e.to(self.model.device) for e in kept if e is not None])

    @torch.no_grad()
    def encode(self, inputs: Tensor) -> Tensor:
        """Network inputs (B, 3, S, S) -> embeddings (B, C, h, w) float32."""
        inputs = inputs.to(self.model.device)
        if self.dtype is None:
            return self.model.encode_images(inputs)
        with torch.autocast(self.model.device.type, dtype=self.dtype):
            return self.model.encode_images(inputs).float()

    def _input(self, image: np.ndarray) -> Tensor:
        size, how = self.model.img_size, self.model.usage.normalization
        return preprocess.to_input(image, size, self.size_rule, self.resampling, how)[0]

    def _key(self, image: np.ndarray) -> str:
        if self.cache is None:
            return ""
        self._fingerprint = self._fingerprint or fingerprint(self.model)
        settings: tuple[object, ...] = (
            *(self.model.img_size, self.size_rule, self.resampling, str(self.dtype)),
            *([] if (how := self.model.usage.normalization) == "imagenet" else [how]),
        )
        return self.cache.key(image, self._fingerprint, *settings)


def best_device() -> torch.device:
    """CUDA, then Apple's GPU, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def available(device: str | torch.device) -> torch.device:
    """A device that works here.

    Raises:
        UltraSamError: it does not.
    """
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UltraSamError(f"the device '{device}' is not at hand here ({reason}); try 'cpu'") from error
    if chosen.type == "meta":
        raise UltraSamError("the device 'meta' holds no numbers; try 'cpu'")
    return chosen
