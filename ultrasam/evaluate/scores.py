"""Records of images to scores: over all of them, by data set, by organ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.data.boxes import to_xyxy
from ultrasam.evaluate import metrics
from ultrasam.evaluate.coco_map import ImageResult, coco_map
from ultrasam.evaluate.examine import Record
from ultrasam.evaluate.protocol import Condition, Protocol

#: IoU that clicks have to reach.
TARGETS = (0.85, 0.90)


def summarize(records: Sequence[Record], protocol: Protocol) -> dict[str, Any]:
    """All scores, as JSON.

    Returns:
        ``all``, and ``datasets`` and ``organs`` by name, the latter where an organ has several data sets; a
        data set tells its ``organ``. Each has ``images``, ``objects``, ``scores``
        (condition -> ``mAP``, ``mAP50``, ``mAP75``, ``mIoU``, ``Dice``, ``HD95`` and its median, ``HD95_mm``
        of the objects whose spacing is known, ``boundary_F``, ``empty``: masks without a pixel), ``clicks``
        (``NoC85``, ``never85``, ...), ``calibration`` (prompt -> error, bias, correlation, bins). All
        shares are of 1.
    """
    datasets, organs = _group(records, "dataset"), _group(records, "organ")
    return {
        "all": _scores(records, protocol),
        "datasets": {
            name: {"organ": ", ".join(_group(part, "organ")), **_scores(part, protocol)}
            for name, part in datasets.items()
        },
        "organs": {
            name: _scores(part, protocol)
            for name, part in organs.items()
            if len({record["dataset"] for record in part}) > 1
        },
    }


def _group(records: Sequence[Record], key: str) -> dict[str, list[Record]]:
    groups = defaultdict(list)
    for record in records:
        if record[key]:
            groups[record[key]].append(record)
    return dict(sorted(groups.items()))


def _scores(records: Sequence[Record], protocol: Protocol) -> dict[str, Any]:
    conditions = protocol.conditions()
    result: dict[str, Any] = {
        "images": len(records),
        "objects": sum(len(record["truth"]) for record in records),
        "seconds": _seconds(records),
        "scores": {str(c): _of_condition(records, str(c)) for c in conditions},
        "calibration": {},
        "clicks": {},
    }
    for prompt in protocol.single:
        fit = metrics.calibration(values(records, prompt, "scores"), values(records, prompt, "iou"))
        result["calibration"][prompt] = asdict(fit)
    if "clicks" in protocol.prompts:
        names = [str(Condition(f"click{k}")) for k in range(1, protocol.clicks + 1)]
        ious = np.stack([values(records, name, "iou") for name in names], axis=1)
        for target in TARGETS:
            number, never = metrics.clicks_to(ious, target)
            percent = round(100 * target)
            result["clicks"] |= {f"NoC{percent}": number, f"never{percent}": never}
    return result


def values(records: Sequence[Record], condition: str, key: str) -> np.ndarray:
    """One value of every object that has it, in the order of the records."""
    return np.array([v for record in records for v in record["answers"][condition].get(key, [])])


def _of_condition(records: Sequence[Record], condition: str) -> dict[str, float]:
    results = [_result(record, condition, number) for number, record in enumerate(records, start=1)]
    precision = coco_map(results)
    iou, distance = values(records, condition, "iou"), values(records, condition, "hd95")
    scores = {
        "mAP": precision["segm_mAP"],
        "mAP50": precision["segm_mAP_50"],
        "mAP75": precision["segm_mAP_75"],
        "mIoU": iou.mean(),
        "Dice": (2 * iou / (1 + iou)).mean(),
        "HD95": distance.mean(),
        "HD95_median": np.median(distance),
        "boundary_F": values(records, condition, "boundary_f").mean(),
        "empty": sum(int((coco_mask.area(result.masks) == 0).sum()) for result in results),
    }
    known = values(records, condition, "hd95_mm")
    if len(known):
        scores["HD95_mm"] = known.mean()
    return {name: float(value) for name, value in scores.items()}


def _result(record: Record, condition: str, number: int) -> ImageResult:
    answer, size = record["answers"][condition], record["size"]
    truth, masks = (
        [{"size": size, "counts": c} for c in part] for part in (record["truth"], answer["masks"])
    )
    return ImageResult(
        image_id=number,
        dataset="",
        size=tuple(size),
        truth=truth,
        truth_boxes=np.array(record["boxes"]),
        masks=masks,
        boxes=to_xyxy(coco_mask.toBbox(masks)),
        scores=np.array(answer["scores"]),
    )


def _seconds(records: Sequence[Record]) -> dict[str, float]:
    """Median seconds an image."""
    steps = records[0]["seconds"]
    return {step: float(np.median([record["seconds"][step] for record in records])) for step in steps}
