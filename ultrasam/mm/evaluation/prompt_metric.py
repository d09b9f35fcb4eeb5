"""COCO scores of prompted masks as an mmengine metric."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from ultrasam.data import coco
from ultrasam.data.boxes import to_xywh
from ultrasam.errors import DataError
from ultrasam.evaluate.coco_map import ImageResult, evaluate


@METRICS.register_module()
class PromptCocoMetric(BaseMetric):
    """segm and bbox mAP, mean IoU and Dice, over all and by data set.

    What is scored comes with the data samples, so there is no second annotation file to get wrong.

    Args:
        outfile: write the predictions to this file, in COCO's results format.
        kwargs: of mmengine's ``BaseMetric``.
    """

    default_prefix = "coco"

    def __init__(self, outfile: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outfile = outfile

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what a batch's scores need."""
        for sample in data_samples:
            found, truth = sample["pred_instances"], sample["instances"]
            self.results.append(
                ImageResult(
                    image_id=sample["img_id"],
                    dataset=sample["dataset"],
                    size=tuple(sample["ori_shape"]),
                    truth=[entry["mask"] for entry in truth],
                    truth_boxes=np.array([entry["bbox"] for entry in truth], np.float32).reshape(-1, 4),
                    masks=as_rle(found["masks"]),
                    boxes=found["bboxes"].cpu().numpy(),
                    scores=found["scores"].cpu().numpy(),
                )
            )

    def compute_metrics(self, results: list[ImageResult]) -> dict[str, float]:
        """Scores of all images, each image counted once."""
        unique = list({result.image_id: result for result in results}.values())
        if not unique:
            raise DataError("nothing was predicted, so there is nothing to score: is the test set empty?")
        if self.outfile:
            self._write(unique, Path(self.outfile))
        scores = evaluate(unique)
        print_log("\n" + table(scores), logger="current")
        return scores

    def _write(self, results: Sequence[ImageResult], path: Path) -> None:
        rows = [
            {
                "image_id": result.image_id,
                "category_id": 1,
                "segmentation": mask,
                "bbox": to_xywh(box).tolist(),
                "score": float(score),
            }
            for result in results
            for mask, box, score in zip(result.masks, result.boxes, result.scores, strict=True)
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows))


def as_rle(masks: Tensor | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predicted masks (n, H, W), or what MMDetection's ``DumpDetResults`` kept of them, as compressed RLE."""
    if isinstance(masks, Tensor):
        return [coco.encode(mask) for mask in masks.cpu().numpy()]
    return [{**mask, "counts": mask["counts"].decode()} for mask in masks]


def table(scores: dict[str, float]) -> str:
    """Scores as text, a line for everything and one for each data set; mAP, IoU and Dice in percent."""
    columns = ("segm_mAP", "segm_mAP_50", "bbox_mAP", "bbox_mAP_50", "mIoU", "Dice")
    names = sorted({key.rsplit("/", 1)[0] for key in scores if "/" in key})
    width = max(len(name) for name in ("data set", "all", *names))
    lines = [f"{'data set':<{width}} {'objects':>8} " + " ".join(f"{c:>11}" for c in columns)]
    for name in ("", *names):
        prefix = f"{name}/" if name else ""
        cells = " ".join(f"{100 * scores[prefix + c]:>11.1f}" for c in columns)
        lines.append(f"{name or 'all':<{width}} {scores[prefix + 'num_objects']:>8.0f} {cells}")
    return "\n".join(lines)
