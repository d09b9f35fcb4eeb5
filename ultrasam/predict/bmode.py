"""Whether an image looks like B-mode ultrasound: a logistic regression on its embedding.

It warns and refuses nothing. What it was fitted to and how often it errs: ``docs/predict.md``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.predict import head_files
from ultrasam.predict.encoded import Encoded
from ultrasam.preprocess import Geometry

#: Below this it is worth a warning.
LIKELY = 0.5


def looks_like_bmode(encoded: Encoded) -> float | None:
    """How much the first image looks like B-mode ultrasound, 0 to 1; None where the model can't say."""
    engine = encoded.embedder.engine
    found = head_files.part(engine.heads(), head_files.BMODE)
    if not found:
        return None
    (features,) = engine.array(encoded.features[:1])
    value = pooled(features, encoded.geometries[0]) @ found["weight"] + float(found["bias"])
    return float(1 / (1 + np.exp(-np.clip(value, -30, 30))))


def pooled(features: NDArray[Any], geometry: Geometry) -> NDArray[np.float64]:
    """Mean and deviation of each channel (2C,) over the cells (C, h, w) that show some of the image."""
    cell = geometry.size / features.shape[1]
    height, width = (int(np.ceil(side / cell)) for side in geometry.resized)
    shown = features[:, :height, :width].reshape(len(features), -1).astype(np.float64)
    return np.concatenate([shown.mean(axis=1), shown.std(axis=1)])
