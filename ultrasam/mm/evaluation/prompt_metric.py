"""COCO scores of prompted masks as an mmengine metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from ultrasam.data import coco
from ultrasam.data.files import write_json
from ultrasam.errors import DataError
from ultrasam.evaluate.coco_map import ImageResult, evaluate, to_coco_results
from ultrasam.report.table import Table


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
            prediction, targets = sample["pred_instances"], sample["instances"]
            self.results.append(
                ImageResult(
                    image_id=sample["img_id"],
                    dataset=sample["dataset"],
                    size=tuple(sample["ori_shape"]),
                    targets=[entry["mask"] for entry in targets],
                    target_boxes=np.array([entry["bbox"] for entry in targets], np.float32).reshape(-1, 4),
                    predictions=as_rle(prediction["masks"]),
                    prediction_boxes=prediction["bboxes"].cpu().numpy(),
                    scores=prediction["scores"].cpu().numpy(),
                )
            )

    def compute_metrics(self, results: list[ImageResult]) -> dict[str, float]:
        """Scores of all images, each image counted once."""
        unique = list({result.image_id: result for result in results}.values())
        if not unique:
            raise DataError("nothing was predicted, so there is nothing to score: is the test set empty?")
        if self.outfile:
            write_json(self.outfile, to_coco_results(unique))
        scores = evaluate(unique)
        print_log("\n" + table(scores).text(), logger="current")
        return scores


def as_rle(masks: Tensor | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Predicted masks (n, H, W), or what MMDetection's ``DumpDetResults`` kept of them, as compressed RLE."""
    if isinstance(masks, Tensor):
        return [coco.encode(mask) for mask in masks.cpu().numpy()]
    return [{**mask, "counts": mask["counts"].decode()} for mask in masks]


def table(scores: dict[str, float]) -> Table:
    """A row for everything and one for each data set; mAP, IoU and Dice in percent."""
    columns = ("segm_mAP", "segm_mAP_50", "bbox_mAP", "bbox_mAP_50", "mIoU", "Dice")
    rows = []
    for name in ("", *sorted({key.rsplit("/", 1)[0] for key in scores if "/" in key})):
        prefix = f"{name}/" if name else ""
        cells = [f"{100 * scores[prefix + column]:.1f}" for column in columns]
        rows.append([name or "all", f"{scores[prefix + 'num_objects']:.0f}", *cells])
    return Table("", ["data set", "objects", *columns], rows)
