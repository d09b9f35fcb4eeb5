"""Trackers of MMEngine where theirs fails on what trainings tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmdet.registry import VISBACKENDS
from mmengine.visualization import MLflowVisBackend


@VISBACKENDS.register_module(name="MLflowVisBackend")
class StepMLflowVisBackend(MLflowVisBackend):
    """MMEngine's, with images by their step: MLflow wants a file's ending, and keeps one image of a name."""

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs: Any) -> None:
        """Log an image (H, W, 3) uint8 RGB as ``<name>_<step>.png``, as the local backend names it."""
        super().add_image(f"{name}_{step}.png", image, step, **kwargs)
