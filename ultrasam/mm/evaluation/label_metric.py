"""Scores of classes or numbers for mmengine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from ultrasam.downstream import label_metrics
from ultrasam.errors import DataError


@METRICS.register_module()
class LabelMetric(BaseMetric):
    """Scores of classes or numbers, by image or by clip; see `ultrasam.downstream.label_metrics`.

    What was predicted, and of which classes, comes with the data set.

    Args:
        level: ``image``, or ``clip`` for the mean over a clip's frames.
        outfile: write truth and predictions to this JSON file.
        kwargs: of mmengine's ``BaseMetric``.
    """

    default_prefix = "label"

    def __init__(self, level: str = "image", outfile: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.level = level
        self.outfile = outfile

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what a batch's scores need."""
        for sample in data_samples:
            row = {k: sample[k] for k in ("img_id", "img_path", "clip")}
            arrays = {k: sample[k].float().cpu().numpy() for k in ("target", "scores")}
            self.results.append({**row, **arrays})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Scores of all images, each counted once."""
        unique = list({row["img_id"]: row for row in results}.values())
        if not unique:
            raise DataError("nothing was predicted, so there is nothing to score: is the test set empty?")
        names, task = self.dataset_meta["classes"], self.dataset_meta["task"]
        truth, scores = (np.stack([row[k] for row in unique]) for k in ("target", "scores"))
        samples = [row["img_path"] for row in unique]
        if self.level == "clip":
            samples, truth, scores = label_metrics.by_clip([row["clip"] for row in unique], truth, scores)
        if task == "single-label":
            table = label_metrics.confusion_table(label_metrics.confusion(truth, scores), names)
            print_log("\n" + table.text(), logger="current")
        if self.outfile:
            rows = zip(samples, truth.tolist(), scores.tolist(), strict=True)
            content = {
                "task": task,
                "names": list(names),
                "predictions": [{self.level: s, "truth": t, "scores": p} for s, t, p in rows],
            }
            Path(self.outfile).parent.mkdir(parents=True, exist_ok=True)
            Path(self.outfile).write_text(json.dumps(content))
        return label_metrics.score(task, truth, scores, names)
