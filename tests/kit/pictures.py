"""Pictures that tests show a model."""

from __future__ import annotations

import numpy as np

from ultrasam.phantom import simulate


def waves(height: int = 120, width: int = 200, seed: int = 0) -> np.ndarray:
    """A tinted RGB picture of waves and a bright disc of radius 30 round (90, 60), with a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    plane = 60 + 50 * np.sin(x / 9) + 40 * np.cos(y / 7) + 100 * ((x - 90) ** 2 + (y - 60) ** 2 < 900)
    image = np.stack([plane, plane * 0.8, plane * 0.6], axis=-1) + rng.normal(0, 5, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def noise(height: int = 90, width: int = 140, seed: int = 0) -> np.ndarray:
    """A gray picture, as RGB, in which every pixel differs from its neighbors."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.integers(0, 255, (height, width, 1), dtype=np.uint8), 3, axis=2)


def scan(seed: int = 2, index: int = 0, size: int = 200) -> np.ndarray:
    """A simulated ultrasound image, as RGB."""
    return np.repeat(simulate(seed, index, size=size).image[..., None], 3, axis=2)
