"""Pictures of what the tasks predict, for tests' ``--show-dir`` and for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample

from ultrasam.data import coco
from ultrasam.data.images import read_image
from ultrasam.mm.datasets.label_dataset import caption
from ultrasam.mm.engine.hooks import PromptVisualizationHook
from ultrasam.report.draw import overlay


@HOOKS.register_module()
class InstancePictureHook(PromptVisualizationHook):
    """Draw found objects with class and score, and the true outlines.

    Args:
        score_thr: objects below it are not drawn.
        kwargs: of `PromptVisualizationHook`.
    """

    def __init__(self, score_thr: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.score_thr = score_thr

    def picture(self, sample: DetDataSample, meta: Mapping[str, Any]) -> np.ndarray:
        """One picture."""
        found = sample.pred_instances[sample.pred_instances.scores >= self.score_thr]
        truth = [coco.decode(a["mask"], sample.ori_shape, "truth") for a in sample.instances]
        captions = [
            f"{meta['classes'][label]} {score:.2f}"
            for label, score in zip(found.labels.tolist(), found.scores.tolist(), strict=True)
        ]
        return overlay(
            read_image(sample.img_path), list(found.masks.cpu().numpy()), targets=truth, captions=captions
        )


@HOOKS.register_module()
class LabelPictureHook(PromptVisualizationHook):
    """Write truth and prediction on the image."""

    def picture(self, sample: DetDataSample, meta: Mapping[str, Any]) -> np.ndarray:
        """One picture."""
        names, task = meta["classes"], meta["task"]
        target, scores = sample.target.cpu().numpy(), sample.scores.cpu().numpy()
        lines = [f"true: {caption(task, names, target)}"]
        if task == "regression":
            lines.append(f"predicted: {caption(task, names, scores)}")
        else:
            lines += [f"{names[k]} {scores[k]:.2f}" for k in (-scores).argsort()[:3]]
        return overlay(read_image(sample.img_path), [], captions=lines)
