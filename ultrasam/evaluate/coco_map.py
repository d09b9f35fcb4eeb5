"""Scores of prompted masks: COCO mAP, and beside it mean IoU and Dice.

COCO's numbers come from faster-coco-eval where it is installed, else from pycocotools; they are the same.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.data.boxes import to_xywh
from ultrasam.evaluate.metrics import iou_to_dice, rle_iou

Backend = Literal["faster-coco-eval", "pycocotools"]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageResult:
    """One image's objects and what was predicted for the prompt of each.

    Attributes:
        image_id: unique in the evaluation, a number or a text, as files have it.
        dataset: scores are also given by data set.
        size: (H, W).
        targets: n annotated masks as compressed RLE.
        target_boxes: (n, 4) xyxy as annotated.
        predictions: n predicted masks as compressed RLE, in the order of the prompts.
        prediction_boxes: (n, 4) xyxy of the predicted masks.
        scores: (n,) predicted IoU; ranks the predictions.
    """

    image_id: int
    dataset: str
    size: tuple[int, int]
    targets: list[dict[str, Any]]
    target_boxes: np.ndarray
    predictions: list[dict[str, Any]]
    prediction_boxes: np.ndarray
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
    iou = np.concatenate([rle_iou(result.predictions, result.targets) for result in results])
    scores = coco_map(results)
    scores["mIoU"] = float(iou.mean())
    scores["Dice"] = float(iou_to_dice(iou).mean())
    scores["num_objects"] = float(len(iou))
    return scores


def coco_map(results: Sequence[ImageResult], backend: Backend | None = None) -> dict[str, float]:
    """COCO average precision of masks and boxes; see `accumulate` for the backend."""
    # COCO's tools take whole numbers for ids, files have texts as well.
    results = [replace(result, image_id=number) for number, result in enumerate(results, 1)]
    targets, predictions = to_coco(results)
    scores = {}
    for kind in ("segm", "bbox"):
        precision = accumulate(targets, predictions, kind, backend).eval["precision"][:, :, 0, 0, -1]
        scores[f"{kind}_mAP"] = float(precision.mean())
        scores[f"{kind}_mAP_50"] = float(precision[0].mean())
        scores[f"{kind}_mAP_75"] = float(precision[5].mean())
    return scores


def to_coco(results: Sequence[ImageResult]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The targets as the content of a COCO file, and the predictions as that of a COCO results file."""
    targets: dict[str, Any] = {
        "info": {},
        "images": [{"id": r.image_id, "height": r.size[0], "width": r.size[1]} for r in results],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [],
    }
    for result in results:
        for rle, box in zip(result.targets, result.target_boxes, strict=True):
            targets["annotations"].append(
                {
                    "id": len(targets["annotations"]) + 1,
                    "image_id": result.image_id,
                    "category_id": 1,
                    "segmentation": rle,
                    "bbox": to_xywh(box).tolist(),
                    "area": float(coco_mask.area(rle)),
                    "iscrowd": 0,
                }
            )
    return targets, to_coco_results(results)


def to_coco_results(results: Sequence[ImageResult]) -> list[dict[str, Any]]:
    """The predictions as the content of a COCO results file."""
    return [
        {
            "image_id": result.image_id,
            "category_id": 1,
            "segmentation": rle,
            "bbox": to_xywh(box).tolist(),
            "score": float(score),
        }
        for result in results
        for rle, box, score in zip(result.predictions, result.prediction_boxes, result.scores, strict=True)
    ]


def accumulate(
    targets: dict[str, Any], predictions: list[dict[str, Any]], kind: str, backend: Backend | None = None
) -> Any:
    """Run COCO's evaluation.

    Args:
        targets: the content of a COCO file.
        predictions: the content of a COCO results file.
        kind: ``segm`` or ``bbox``.
        backend: who computes it; None for the quickest that is installed.

    Returns:
        pycocotools' ``COCOeval`` or what stands for it, its ``eval`` filled; ``summarize`` fills ``stats``.
    """
    coco_type, eval_type = _backend(backend)
    # Every prompt has an answer, so no answer may be cut off where an image has more than COCO's 100.
    counts = np.unique([entry["image_id"] for entry in predictions], return_counts=True)[1]
    with contextlib.redirect_stdout(io.StringIO()):
        content = coco_type()
        content.dataset = targets
        content.createIndex()
        # Both write areas and ids into what they are given.
        run = eval_type(content, content.loadRes([dict(entry) for entry in predictions]), kind)
        run.params.maxDets = [1, 10, max([100, *counts.tolist()])]
        run.evaluate()
        run.accumulate()
    return run


@cache
def _backend(name: Backend | None) -> tuple[Any, Any]:
    """The classes ``COCO`` and ``COCOeval``."""
    if name != "pycocotools":
        try:
            from faster_coco_eval import COCO, COCOeval_faster

            # Its threads wait for Python's lock most of the time: one is quickest.
            return COCO, partial(COCOeval_faster, rle_iou_max_workers=1)
        except ImportError:
            if name is not None:
                raise
            logger.info("faster-coco-eval is not installed; pycocotools scores, three times as slowly")
    from pycocotools.coco import COCO as PlainCOCO
    from pycocotools.cocoeval import COCOeval

    return PlainCOCO, COCOeval
