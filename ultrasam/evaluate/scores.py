"""Records of images to scores: over all of them, by data set, by organ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.data.boxes import to_xyxy
from ultrasam.evaluate import metrics
from ultrasam.evaluate.coco_map import ImageResult, coco_map
from ultrasam.evaluate.protocol import Condition, Protocol
from ultrasam.evaluate.records import Record, pooled
from ultrasam.evaluate.results import GroupScores, Results, Scores, SubjectCard

#: IoU that clicks have to reach, in percent.
LEVELS = (85, 90)


def summarize(
    records: Sequence[Record],
    protocol: Protocol,
    *,
    subject: SubjectCard,
    title: str,
    command: str = "",
    data: Sequence[str] = (),
) -> Results:
    """All scores; the arguments after the protocol are those of `Results`."""
    datasets = _by(records, lambda record: record.dataset)
    organs = _by(records, lambda record: record.organ)
    return Results(
        title=title,
        command=command,
        subject=subject,
        protocol=protocol,
        data=list(data),
        overall=score_group(records, protocol),
        datasets={
            name: score_group(part, protocol, ", ".join(_by(part, lambda record: record.organ)))
            for name, part in datasets.items()
        },
        organs={
            name: score_group(part, protocol)
            for name, part in organs.items()
            if len({record.dataset for record in part}) > 1
        },
    )


def _by(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, list[Record]]:
    groups = defaultdict(list)
    for record in records:
        if key(record):
            groups[key(record)].append(record)
    return dict(sorted(groups.items()))


def score_group(records: Sequence[Record], protocol: Protocol, organ: str = "") -> GroupScores:
    """The scores of some images in all conditions."""
    clicks = {}
    if protocol.session:
        ious = np.stack([pooled(records, condition).iou for condition in protocol.session], axis=1)
        clicks = {percent: metrics.clicks_to(ious, percent / 100) for percent in LEVELS}
    answers = {prompt: pooled(records, Condition(prompt)) for prompt in protocol.single}
    return GroupScores(
        images=len(records),
        objects=sum(len(record.targets) for record in records),
        seconds={
            step: float(np.median([record.seconds[step] for record in records]))
            for step in records[0].seconds
        },
        scores={condition: _scores(records, condition) for condition in protocol.conditions()},
        calibration={
            prompt: metrics.calibration(answer.scores, answer.iou) for prompt, answer in answers.items()
        },
        clicks=clicks,
        organ=organ,
    )


def _scores(records: Sequence[Record], condition: Condition) -> Scores:
    precision = coco_map([_result(record, condition, n) for n, record in enumerate(records, start=1)])
    answer = pooled(records, condition)
    return Scores(
        map=precision["segm_mAP"],
        map50=precision["segm_mAP_50"],
        map75=precision["segm_mAP_75"],
        mean_iou=float(answer.iou.mean()),
        dice=float(metrics.iou_to_dice(answer.iou).mean()),
        hd95=float(answer.hd95.mean()),
        hd95_median=float(np.median(answer.hd95)),
        boundary_f=float(answer.boundary_f.mean()),
        empty=float((coco_mask.area(answer.masks) == 0).sum()),
        hd95_mm=float(answer.hd95_mm.mean()) if len(answer.hd95_mm) else None,
    )


def _result(record: Record, condition: Condition, number: int) -> ImageResult:
    answer = record.answers[condition]
    return ImageResult(
        image_id=number,
        dataset="",
        size=record.size,
        targets=record.targets,
        target_boxes=record.boxes,
        predictions=answer.masks,
        prediction_boxes=to_xyxy(coco_mask.toBbox(answer.masks)),
        scores=answer.scores,
    )
