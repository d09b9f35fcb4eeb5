"""What is known of each image that was examined, and its form on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrasam.evaluate.protocol import Condition

Floats = NDArray[np.float64]
_PER_OBJECT = ("scores", "iou", "hd95", "boundary_f")


@dataclass(frozen=True, eq=False)
class Answer:
    """The masks that one condition gives for the n objects of an image, or of several, and how they fit.

    Attributes:
        masks: n predicted masks as compressed RLE.
        scores: (n,) predicted IoU.
        iou: (n,) with the annotated mask.
        hd95: (n,) 95th percentile of the borders' distances in pixels; the image's diagonal where nothing was
            found.
        boundary_f: (n,) share of both borders near the other one, see `metrics.BorderDistances.f_score`.
        hd95_mm: the same in millimeters, of the objects whose spacing is known.
    """

    masks: list[dict[str, Any]]
    scores: Floats
    iou: Floats
    hd95: Floats
    boundary_f: Floats
    hd95_mm: Floats


@dataclass(frozen=True, eq=False)
class Record:
    """An image, what its n objects were asked, and all answers.

    Attributes:
        name: in its COCO file.
        stamp: see `samples.Sample.stamp`.
        dataset: never empty.
        organ: empty where nothing says.
        size: (H, W).
        spacing: (x, y) millimeters a pixel, or None.
        targets: n annotated masks as compressed RLE.
        boxes: (n, 4) xyxy, the box prompts.
        points: (n, 2) xy, the point prompts.
        clicks: of each object (K, 3), a session's clicks as x, y, label.
        seconds: ``encode`` for the image, ``box`` and ``point`` for the answers to all its objects.
        answers: by condition.
    """

    name: str
    stamp: int
    dataset: str
    organ: str
    size: tuple[int, int]
    spacing: tuple[float, float] | None
    targets: list[dict[str, Any]]
    boxes: Floats
    points: Floats
    clicks: list[Floats]
    seconds: dict[str, float]
    answers: dict[Condition, Answer]

    def to_json(self) -> dict[str, Any]:
        """For a line of JSON: masks as their run-length codes, conditions as text."""
        return {
            "name": self.name,
            "stamp": self.stamp,
            "dataset": self.dataset,
            "organ": self.organ,
            "size": list(self.size),
            "spacing": None if self.spacing is None else list(self.spacing),
            "truth": [mask["counts"] for mask in self.targets],
            "boxes": self.boxes.tolist(),
            "points": self.points.tolist(),
            "clicks": [clicks.tolist() for clicks in self.clicks],
            "seconds": self.seconds,
            "answers": {
                str(condition): _answer_to_json(answer) for condition, answer in self.answers.items()
            },
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Record:
        """The inverse of `to_json`."""
        height, width = content["size"]

        def masks(counts: Sequence[str]) -> list[dict[str, Any]]:
            return [{"size": [height, width], "counts": text} for text in counts]

        def answer(part: Mapping[str, Any]) -> Answer:
            values = {
                name: np.array(part.get(name, []), dtype=np.float64) for name in (*_PER_OBJECT, "hd95_mm")
            }
            return Answer(masks(part["masks"]), **values)

        return cls(
            name=content["name"],
            stamp=content["stamp"],
            dataset=content["dataset"],
            organ=content["organ"],
            size=(height, width),
            spacing=None if content["spacing"] is None else (content["spacing"][0], content["spacing"][1]),
            targets=masks(content["truth"]),
            boxes=np.array(content["boxes"], dtype=np.float64),
            points=np.array(content["points"], dtype=np.float64),
            clicks=[np.array(clicks, dtype=np.float64).reshape(-1, 3) for clicks in content["clicks"]],
            seconds=dict(content["seconds"]),
            answers={Condition.parse(text): answer(part) for text, part in content["answers"].items()},
        )


def _answer_to_json(answer: Answer) -> dict[str, Any]:
    content: dict[str, Any] = {"masks": [mask["counts"] for mask in answer.masks]}
    content |= {name: getattr(answer, name).tolist() for name in _PER_OBJECT}
    return content | ({"hd95_mm": answer.hd95_mm.tolist()} if len(answer.hd95_mm) else {})


def pooled(records: Sequence[Record], condition: Condition) -> Answer:
    """One condition's answers for the objects of all images, in the records' order."""
    answers = [record.answers[condition] for record in records]
    values = {
        name: np.concatenate([getattr(answer, name) for answer in answers])
        for name in (*_PER_OBJECT, "hd95_mm")
    }
    return Answer([mask for answer in answers for mask in answer.masks], **values)
