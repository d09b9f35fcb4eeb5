"""Objects carried from one frame to the next.

Optical flow moves each mask, and the model segments in the box of where it is then. What is carried on is the
moved mask, with a little of what the model found: a model that finds each object slightly too small would
else lose it in thirty frames. Where both disagree, the moved mask counts and the frame is said to drift.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.track.distance import between
from ultrasam.predict.track.motion import Motion
from ultrasam.predict.track.tracked import Tracked

#: By how much of its longer side a moved box is enlarged: flow rounds corners off.
_PAD = 0.02
#: The model's share in what is carried on, so that the errors of flow do not add up for ever.
_SHARE = 0.1
#: Drift: IoU with where flow puts the mask below this, predicted IoU below this, area changed by more.
_LEAST_OVERLAP, _LEAST_IOU, _MOST_CHANGE = 0.75, 0.6, 1.5


class Follower:
    """Follows objects through frames that are given one after the other, in either direction.

    Args:
        predictor: segments.
        image: (H, W, 3) uint8 RGB, the first frame.
        masks: id of each object -> its mask (H, W) bool in the first frame; an empty one is lost.
    """

    def __init__(
        self,
        predictor: ObjectPredictor,
        image: np.ndarray,
        masks: Mapping[int, np.ndarray] | None = None,
    ) -> None:
        self._predictor, self._image, self._motion = predictor, image, Motion()
        self._masks: dict[int, np.ndarray] = {}
        for name, mask in (masks or {}).items():
            self.start(name, mask)

    def start(self, name: int, mask: np.ndarray) -> None:
        """Follow an object from the present frame on, or go on from another mask (H, W) bool of it."""
        self._masks[name] = mask

    def leave(self, name: int) -> None:
        """Do not follow an object any further."""
        self._masks.pop(name, None)

    def step(self, image: np.ndarray) -> dict[int, Tracked | None]:
        """All objects that are followed in the next frame (H, W, 3) uint8 RGB; None where one is lost."""
        moved = {
            name: self._motion.move(mask, self._image, image).mask
            for name, mask in self._masks.items()
            if mask.any()
        }
        names = [name for name, mask in moved.items() if mask.any()]
        boxes = [_padded(tight_box(moved[name]), image.shape) for name in names]
        tracked: dict[int, Tracked | None] = dict.fromkeys(self._masks)
        if names:
            found = self._predictor.segment_once(image, [ObjectPrompt(box=box) for box in boxes])
            for row, (name, box) in enumerate(zip(names, boxes, strict=True)):
                entry = _judged(
                    found.masks[row], float(found.scores[row]), box, moved[name], self._masks[name]
                )
                tracked[name] = entry
                moved[name] = between(moved[name], entry.mask, _SHARE)
        empty = np.zeros(image.shape[:2], dtype=bool)
        self._masks = {name: moved.get(name, empty) for name in self._masks}
        self._image = image
        return tracked


def _judged(found: np.ndarray, iou: float, box: np.ndarray, moved: np.ndarray, old: np.ndarray) -> Tracked:
    """What the model found, or the moved mask where the two do not agree."""
    both, either = int((found & moved).sum()), int((found | moved).sum())
    if both < _LEAST_OVERLAP * either:
        return Tracked(moved, iou, box, True)
    change = found.sum() / old.sum()
    drift = iou < _LEAST_IOU or not 1 / _MOST_CHANGE <= change <= _MOST_CHANGE
    return Tracked(found, iou, box, bool(drift))


def _padded(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    pad = _PAD * max(box[2] - box[0], box[3] - box[1])
    grown = box + np.array([-pad, -pad, pad, pad])
    return np.clip(grown, 0, [shape[1], shape[0], shape[1], shape[0]])
