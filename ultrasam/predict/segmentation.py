"""What a predictor found on one image, in the forms that people use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ultrasam.data.boxes import tight_boxes, to_xywh
from ultrasam.data.polygons import polygons
from ultrasam.predict import masks
from ultrasam.predict.masks import MaskLogits
from ultrasam.predict.measure import Measurement, measure
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.once import once
from ultrasam.report import draw

SpacingOf = Callable[[Sequence[float]], "tuple[float, float] | None"]


@dataclass
class Segmentation:
    """The objects of one image; N of them, in the order of the prompts.

    Attributes:
        logits: (N, 4h, 4w) float32 low-resolution logits; a row can be the mask prompt of a next round.
        scores: (N,) predicted IoU.
        size: (H, W) of the image.
        sources: what the N masks are made from.
        objects: the prompts.
        objectness: (N,) of boxes that the model proposed: the IoU with an object that is to be expected.
    """

    logits: np.ndarray
    scores: np.ndarray
    size: tuple[int, int]
    sources: Sequence[MaskLogits]
    objects: Sequence[ObjectPrompt]
    objectness: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @once
    def masks(self) -> np.ndarray:
        """(N, H, W) bool."""
        return masks.draw(self.sources, self.size)

    @once
    def boxes(self) -> np.ndarray:
        """(N, 4) tight boxes x1, y1, x2, y2; zeros for an empty mask."""
        return tight_boxes(self.masks)

    def rles(self) -> list[dict[str, Any]]:
        """COCO's compressed run-length codes; the masks need not be made for them."""
        return masks.encode(self.sources, self.size)

    def polygons(self, tolerance: float = 0.0) -> list[list[list[float]]]:
        """COCO polygons of each object; see `ultrasam.data.polygons`."""
        return [polygons(mask, tolerance) for mask in self.masks]

    def measurements(self, spacing: tuple[float, float] | None = None) -> list[Measurement]:
        """Area and diameters of each object; ``spacing`` is (x, y) in mm a pixel."""
        return [measure(mask, spacing) for mask in self.masks]

    def coco(
        self,
        image_id: int = 1,
        *,
        first_id: int = 1,
        category_id: int = 1,
        spacing: tuple[float, float] | SpacingOf | None = None,
        polygons: bool = False,
    ) -> list[dict[str, Any]]:
        """COCO annotations with the predicted IoU as ``score``, and sizes where the spacing is known.

        ``spacing`` is (x, y) in mm a pixel, or a function that gives it for a box.
        """
        shapes = self.polygons() if polygons else self.rles()
        ids = {"image_id": image_id, "category_id": category_id}
        rows = zip(shapes, self.masks, self.scores, strict=True)
        found = [
            {"id": number, **ids, **coco_entry(shape, mask, float(score), spacing)}
            for number, (shape, mask, score) in enumerate(rows, start=first_id)
        ]
        if self.objectness is not None:
            for entry, value in zip(found, self.objectness, strict=True):
                entry["objectness"] = round(float(value), 4)
        return found

    def overlay(self, image: np.ndarray, captions: Sequence[str] | None = None) -> np.ndarray:
        """The masks and prompts drawn on the image (H, W, 3) uint8 RGB; captions are the scores."""
        if captions is None:
            captions = [f"{i + 1}: {score:.2f}" for i, score in enumerate(self.scores[:8])]
        return draw.overlay(
            image,
            list(self.masks),
            points=[entry.points for entry in self.objects],
            labels=[entry.labels for entry in self.objects],
            boxes=[entry.box for entry in self.objects],
            captions=captions,
        )


def coco_entry(
    segmentation: Any, mask: np.ndarray, score: float, spacing: tuple[float, float] | SpacingOf | None = None
) -> dict[str, Any]:
    """What a COCO annotation says of one mask.

    Args:
        segmentation: the mask (H, W) bool as COCO has it.
        mask: the same.
        score: predicted IoU.
        spacing: see `Segmentation.coco`.
    """
    (box,) = tight_boxes([mask])
    size = measure(mask, spacing(box.tolist()) if callable(spacing) else spacing)
    entry = {
        "segmentation": segmentation,
        "bbox": to_xywh(box).tolist(),
        "area": size.area_px,
        "iscrowd": 0,
        "score": round(score, 6),
        "long_px": round(size.long_px, 2),
        "short_px": round(size.short_px, 2),
    }
    return entry | {k: v for k, v in size.as_dict().items() if "mm" in k}
