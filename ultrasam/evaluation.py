"""Scores of prompted masks: COCO mAP by pycocotools, and beside it mean IoU and Dice."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


@dataclass(frozen=True)
class ImageResult:
    """One image's objects and what was predicted for the prompt of each.

    Attributes:
        image_id: unique in the evaluation.
        dataset: scores are also given by data set.
        size: (H, W).
        truth: n masks as compressed RLE.
        truth_boxes: (n, 4) xyxy as annotated.
        masks: n predicted masks as compressed RLE, in the order of the prompts.
        boxes: (n, 4) xyxy of the predicted masks.
        scores: (n,) predicted IoU; ranks the predictions.
    """

    image_id: int
    dataset: str
    size: tuple[int, int]
    truth: list[dict[str, Any]]
    truth_boxes: np.ndarray
    masks: list[dict[str, Any]]
    boxes: np.ndarray
    scores: np.ndarray


def evaluate(results: Sequence[ImageResult]) -> dict[str, float]:
    """Scores over all images, and by data set where there are several (``<data set>/<score>``).

    Categories don't count: a prompt asks for one object, whatever it is.

    Returns:
        ``segm_mAP``, ``segm_mAP_50``, ``segm_mAP_75``, ``bbox_mAP``, ``bbox_mAP_50``, ``bbox_mAP_75``
        (percent of 1, over IoU 0.50:0.95 and all areas), ``mIoU``, ``Dice``, ``num_objects``.
    """
    scores = _scores(results)
    datasets = sorted({result.dataset for result in results})
    if len(datasets) > 1:
        for name in datasets:
            part = _scores([result for result in results if result.dataset == name])
            scores.update({f"{name or 'unnamed'}/{key}": value for key, value in part.items()})
    return scores


def _scores(results: Sequence[ImageResult]) -> dict[str, float]:
    # Equal scores are ranked by position, so the order must not depend on who predicted what.
    results = sorted(results, key=lambda result: result.image_id)
    iou = np.concatenate([pair_iou(result.masks, result.truth) for result in results])
    scores = coco_map(results)
    scores["mIoU"] = float(iou.mean())
    scores["Dice"] = float((2 * iou / (1 + iou)).mean())
    scores["num_objects"] = float(len(iou))
    return scores


def pair_iou(masks: Sequence[dict[str, Any]], truth: Sequence[dict[str, Any]]) -> np.ndarray:
    """IoU of each predicted mask with its own object, (n,)."""
    pairs = [coco_mask.iou([mask], [true], [0])[0, 0] for mask, true in zip(masks, truth, strict=True)]
    return np.array(pairs, dtype=np.float64)


def coco_map(results: Sequence[ImageResult]) -> dict[str, float]:
    """COCO average precision of masks and boxes, computed by pycocotools."""
    truth, found = COCO(), []
    truth.dataset = {
        "info": {},
        "images": [{"id": r.image_id, "height": r.size[0], "width": r.size[1]} for r in results],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [],
    }
    for result in results:
        for i, (rle, box) in enumerate(zip(result.truth, result.truth_boxes, strict=True)):
            truth.dataset["annotations"].append(
                {
                    "id": len(truth.dataset["annotations"]) + 1,
                    "image_id": result.image_id,
                    "category_id": 1,
                    "segmentation": rle,
                    "bbox": _xywh(box),
                    "area": float(coco_mask.area(rle)),
                    "iscrowd": 0,
                }
            )
            found.append(
                {
                    "image_id": result.image_id,
                    "category_id": 1,
                    "segmentation": result.masks[i],
                    "bbox": _xywh(result.boxes[i]),
                    "score": float(result.scores[i]),
                }
            )
    # Every prompt has an answer, so no answer may be cut off where an image has more than COCO's 100.
    limit = max([100, *(len(result.truth) for result in results)])
    scores = {}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        predictions = truth.loadRes(found)
        for kind in ("segm", "bbox"):
            run = COCOeval(truth, predictions, kind)
            run.params.maxDets = [1, 10, limit]
            run.evaluate()
            run.accumulate()
            precision = run.eval["precision"][:, :, 0, 0, -1]
            scores[f"{kind}_mAP"] = float(precision.mean())
            scores[f"{kind}_mAP_50"] = float(precision[0].mean())
            scores[f"{kind}_mAP_75"] = float(precision[5].mean())
    return scores


def _xywh(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return [x1, y1, x2 - x1, y2 - y1]
