"""What is known of a followed object in one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ultrasam.data import coco


@dataclass(frozen=True)
class Tracked:
    """An object in a frame.

    Attributes:
        mask: (H, W) bool, not empty.
        iou: predicted.
        box: (4,) xyxy, what the model was asked.
        drift: whether it should be looked at: model and motion disagree, or the model is not sure.
    """

    mask: np.ndarray
    iou: float
    box: np.ndarray
    drift: bool = False


@dataclass(frozen=True)
class Kept:
    """A `Tracked` as it is kept: its mask as COCO's compressed run-length code."""

    rle: dict[str, Any]
    iou: float
    box: np.ndarray
    drift: bool

    @classmethod
    def of(cls, tracked: Tracked) -> Kept:
        """Pack it."""
        return cls(coco.encode(tracked.mask), tracked.iou, tracked.box, tracked.drift)

    def tracked(self) -> Tracked:
        """Unpack it."""
        size = (self.rle["size"][0], self.rle["size"][1])
        return Tracked(coco.decode(self.rle, size, "a tracked mask"), self.iou, self.box, self.drift)
