"""Images to embeddings: one setting of resizing, precision and cache, used by everything that predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ultrasam import preprocess
from ultrasam.predict.embeddings_cache import EmbeddingsCache
from ultrasam.predict.engine import Engine
from ultrasam.preprocess import Geometry, Resampling, SizeRule


@dataclass
class Embedder:
    """Encodes RGB images with a network.

    Attributes:
        engine: the network.
        size_rule: how the resized image's sides are rounded.
        resampling: how it is resized.
        cache: embeddings on disk, or None.
    """

    engine: Engine
    size_rule: SizeRule = "round"
    resampling: Resampling = "opencv"
    cache: EmbeddingsCache | None = None

    def __post_init__(self) -> None:
        preprocess.require_one_of("size_rule", self.size_rule, SizeRule)
        preprocess.require_one_of("resampling", self.resampling, Resampling)

    def geometry(self, image: np.ndarray) -> Geometry:
        """How an image (H, W, 3) lies in the input."""
        return Geometry.of(image.shape[0], image.shape[1], self.engine.img_size, self.size_rule)

    def embed(self, images: list[np.ndarray]) -> Any:
        """RGB images (H, W, 3) uint8 -> embeddings (B, C, h, w) float32, of the engine's kind."""
        keys = [self._key(image) for image in images]
        kept = [self.cache.get(key) if self.cache and key else None for key in keys]
        missing = [i for i, embedding in enumerate(kept) if embedding is None]
        for start in range(0, len(missing), self.engine.batch):
            rows = missing[start : start + self.engine.batch]
            encoded = self.engine.encode(np.stack([self._input(images[i]) for i in rows]))
            for place, i in enumerate(rows):
                kept[i] = encoded[place : place + 1]
                if self.cache and keys[i]:
                    self.cache.put(keys[i], self.engine.array(kept[i]))
        return self.engine.join(kept)

    def _input(self, image: np.ndarray) -> np.ndarray:
        how = self.engine.usage.normalization
        return preprocess.input_array(image, self.geometry(image), self.resampling, how)

    def _key(self, image: np.ndarray) -> str:
        if self.cache is None:
            return ""
        engine = self.engine
        settings: tuple[object, ...] = (engine.img_size, self.size_rule, self.resampling, engine.precision)
        if engine.usage.normalization != "imagenet":
            settings += (engine.usage.normalization,)
        return self.cache.key(image, engine.fingerprint(), *settings)
