"""Pictures of what the tasks predict, for tests' ``--show-dir`` and for TensorBoard."""

from __future__ import annotations

import numpy as np
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement

from ultrasam.data import coco
from ultrasam.data.images import read_image
from ultrasam.mm.engine.hooks import PromptVisualizationHook
from ultrasam.report.draw import overlay


@HOOKS.register_module()
class InstancePictureHook(PromptVisualizationHook):
    """Draw found objects with class and score, and the true outlines.

    Args:
        classes: their names.
        score: objects below it are not drawn.
        kwargs: of `PromptVisualizationHook`.
    """

    def __init__(self, classes: tuple[str, ...] = (), score: float = 0.3, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.classes = classes
        self.score = score

    def draw(self, sample: DetDataSample) -> np.ndarray:
        """One picture."""
        found = sample.pred_instances[sample.pred_instances.scores >= self.score]
        truth = [coco.decode(a["mask"], sample.ori_shape, "truth") for a in sample.instances]
        captions = [
            f"{self.classes[label]} {score:.2f}"
            for label, score in zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        ]
        return overlay(
            read_image(sample.img_path), list(found.masks.cpu().numpy()), targets=truth, captions=captions
        )


@HOOKS.register_module()
class LabelPictureHook(PromptVisualizationHook):
    """Write truth and prediction on the image.

    Args:
        classes: names of the classes or numbers.
        task: what is predicted.
        kwargs: of `PromptVisualizationHook`.
    """

    def __init__(self, classes: tuple[str, ...] = (), task: str = "single-label", **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.classes = classes
        self.task = task

    def draw(self, sample: BaseDataElement) -> np.ndarray:
        """One picture."""
        truth, scores = sample.target.tolist(), sample.scores.tolist()
        rows = list(zip(self.classes, truth, scores, strict=True))
        if self.task == "regression":
            lines = [f"{name}: {true:.3g}, predicted {found:.3g}" for name, true, found in rows]
        else:
            best = sorted(rows, key=lambda row: -row[2])[:3]
            true = ", ".join(name for name, value, _ in rows if value > 0.5)
            lines = [f"true: {true}", *(f"{name} {found:.2f}" for name, _, found in best)]
        return overlay(read_image(sample.img_path), [], captions=lines)
