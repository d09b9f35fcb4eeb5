"""Objects carried from frame to frame of a clip.

`next_prompts` prompts a frame with what was found in the one before. That loses what moves by more than a
little, since nothing outside of a box is kept. `Propagation` first moves each mask with the optical flow
between the two frames (Kroeger et al. 2016, in OpenCV), and segments in the box of where it is then. What is
carried on is the moved mask, with a little of what the model found: a model that finds each object slightly
too small would else lose it in thirty frames. Where both disagree, the moved mask counts and the frame is
said to drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.segmentation import Segmentation

#: Longest side on which flow is computed, pixels.
_FLOW_SIDE = 256
#: What flow sees round an object, in its longer sides.
_CONTEXT = 0.4
#: By how much of its longer side a moved box is enlarged: flow rounds corners off.
_PAD = 0.02
#: The model's share in what is carried on, so that the errors of flow do not add up for ever.
#: It and the numbers below were chosen on simulated clips, whose motion is a smooth warp.
_SHARE = 0.1
#: Drift: IoU with where flow puts the mask below this, predicted IoU below this, area changed by more.
_LEAST_OVERLAP, _LEAST_IOU, _MOST_CHANGE = 0.75, 0.6, 1.5


def next_prompts(before: Segmentation) -> list[ObjectPrompt]:
    """The prompts of a clip's next frame: the last frame's boxes and logits, or its prompts where lost."""
    return [
        ObjectPrompt(box=box, mask=logits) if box[2] > box[0] else entry
        for box, logits, entry in zip(before.boxes, before.logits, before.objects, strict=True)
    ]


@dataclass(frozen=True)
class Carried:
    """An object in the next frame.

    Attributes:
        mask: (H, W) bool, not empty.
        iou: predicted.
        box: (4,) xyxy, what the model was asked.
        drift: whether it should be looked at: model and motion disagree, or the model is not sure.
    """

    mask: np.ndarray
    iou: float
    box: np.ndarray
    drift: bool


class Propagation:
    """Carries the objects of one frame through those after it (or before it, given in that order).

    Args:
        predictor: segments.
        image: (H, W, 3) uint8 RGB, the frame that is annotated.
        masks: N masks (H, W) bool of its objects.
    """

    def __init__(self, predictor: ObjectPredictor, image: np.ndarray, masks: Sequence[np.ndarray]) -> None:
        self._predictor, self._image = predictor, image
        self._masks: list[np.ndarray | None] = [mask if mask.any() else None for mask in masks]
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def leave(self, number: int) -> None:
        """Do not carry an object any further."""
        self._masks[number] = None

    def step(self, image: np.ndarray) -> list[Carried | None]:
        """The N objects in the next frame, None for those that have left the image or were left."""
        moved = [None if mask is None else self._moved(mask, image) for mask in self._masks]
        rows = [row for row, mask in enumerate(moved) if mask is not None and mask.any()]
        boxes = [_padded(tight_box(moved[row]), image.shape) for row in rows]  # type: ignore[arg-type]
        found = (
            self._predictor.segment_once(image, [ObjectPrompt(box=box) for box in boxes]) if rows else None
        )
        carried: list[Carried | None] = [None] * len(moved)
        for place, row in enumerate(rows):
            assert found is not None
            target, old = moved[row], self._masks[row]
            assert target is not None
            assert old is not None
            carried[row] = _judged(found.masks[place], float(found.scores[place]), boxes[place], target, old)
            moved[row] = _blended(target, carried[row].mask)  # type: ignore[union-attr]
        self._masks = [mask if mask is not None and mask.any() else None for mask in moved]
        self._image = image
        return carried

    def _moved(self, mask: np.ndarray, image: np.ndarray) -> np.ndarray:
        """A mask (H, W) where the motion from the last frame to this one takes it."""
        if image.shape != self._image.shape:
            return np.zeros(image.shape[:2], dtype=bool)
        x1, y1, x2, y2 = _context(mask)
        scale = min(_FLOW_SIDE / max(x2 - x1, y2 - y1), 1.0)
        width, height = max(round((x2 - x1) * scale), 16), max(round((y2 - y1) * scale), 16)
        new, old = (
            cv2.resize(
                cv2.cvtColor(np.ascontiguousarray(whole[y1:y2, x1:x2]), cv2.COLOR_RGB2GRAY),
                (width, height),
                interpolation=cv2.INTER_AREA,
            )
            for whole in (image, self._image)
        )
        # From new to old: where in the old frame each pixel of the new one was.
        flow = cv2.resize(self._flow.calc(new, old, None), (x2 - x1, y2 - y1))
        flow *= np.array([(x2 - x1) / width, (y2 - y1) / height], dtype=np.float32)
        y, x = np.mgrid[: y2 - y1, : x2 - x1].astype(np.float32)
        part = mask[y1:y2, x1:x2].astype(np.float32)
        moved = np.zeros_like(mask)
        moved[y1:y2, x1:x2] = cv2.remap(part, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR) > 0.5
        return moved


def _judged(found: np.ndarray, iou: float, box: np.ndarray, moved: np.ndarray, old: np.ndarray) -> Carried:
    """What the model found, or the moved mask where the two do not agree."""
    both, either = int((found & moved).sum()), int((found | moved).sum())
    if both < _LEAST_OVERLAP * either:
        return Carried(moved, iou, box, True)
    change = found.sum() / old.sum()
    drift = iou < _LEAST_IOU or not 1 / _MOST_CHANGE <= change <= _MOST_CHANGE
    return Carried(found, iou, box, bool(drift))


def _blended(moved: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The moved mask (H, W), its outline drawn a little towards what was found."""
    x1, y1, x2, y2 = _context(moved | found)
    distances = [_signed(mask[y1:y2, x1:x2]) for mask in (moved, found)]
    blended = np.zeros_like(moved)
    blended[y1:y2, x1:x2] = (1 - _SHARE) * distances[0] + _SHARE * distances[1] > 0
    return blended


def _signed(mask: np.ndarray) -> np.ndarray:
    """Distance to the outline of a mask (h, w), positive within."""
    inside = mask.astype(np.uint8)
    within, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 3) for part in (inside, 1 - inside))
    return within - outside


def _context(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The part of the frame that flow sees, whole pixels x1, y1, x2, y2."""
    x1, y1, x2, y2 = tight_box(mask)
    room = _CONTEXT * max(x2 - x1, y2 - y1) + 16
    height, width = mask.shape
    left, top = max(int(x1 - room), 0), max(int(y1 - room), 0)
    return left, top, min(int(x2 + room), width), min(int(y2 + room), height)


def _padded(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    pad = _PAD * max(box[2] - box[0], box[3] - box[1])
    grown = box + np.array([-pad, -pad, pad, pad])
    return np.clip(grown, 0, [shape[1], shape[0], shape[1], shape[0]])
