"""Objects carried from one frame to the next.

Optical flow moves each mask, and the model segments in the box of where it is then. Both are blended: the
model does not drift but has an outline of its own, flow keeps the outline but adds up its errors. How much
the model counts depends on how well it finds the object in the frame in which that was given.

Where an object no longer looks as it did, it is searched for in the whole frame, and is lost if nothing looks
like it. A lost one is searched for in each frame after that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from ultrasam.data.boxes import tight_box
from ultrasam.machine import threads
from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.segmentation import Segmentation
from ultrasam.predict.track.appearance import likeness, patch, search
from ultrasam.predict.track.distance import between
from ultrasam.predict.track.habit import Habit
from ultrasam.predict.track.motion import Motion
from ultrasam.predict.track.tracked import Tracked

# All numbers were chosen on simulated cines and carotid recordings that docs/follow.md does not score.
#: By how much of its longer side a moved box is enlarged: flow rounds corners off.
_PAD = 0.02
#: The model's share in what is shown and in what flow moves on, where it agrees with what was given little
#: and much.
_SHOWN, _CARRIED = (0.1, 0.8), (0.02, 0.2)
#: IoU of the model's and the given mask that is little, and that is much.
_AGREE = (0.75, 0.9)
#: Overlap with the moved mask below which the model has found something else.
_LEAST_OVERLAP = 0.75
#: Predicted IoU below which a frame should be looked at.
_LEAST_IOU = 0.6
#: Evidence below which an object is lost; see `_Object.evidence`.
_LOST = 0.42
#: Evidence from which an object is found elsewhere: where frames are far apart, and where each is much like
#: the one before, so that an object that comes back looks as it did, and anything else is a neighbor of its
#: kind.
_FOUND = (0.5, 0.6)
#: Likeness below which an object is searched for elsewhere.
_DOUBTED = 0.6
#: Likeness to what was given from which an object's look is remembered, in both cases: what is not it must
#: not be learned.
_SURE = (0.7, 0.8)
#: Likeness of whole frames from which they are near each other, and how many must have been: a moving probe
#: takes some apart in any clip.
_NEAR, _NEAR_FRAMES = 0.9, 4
#: By how much more a place elsewhere must look like the object than where flow takes it.
_BETTER = 0.1
#: Side of the network's input up to which its work on one object is too little for threads to share: they
#: wait for each other longer than they help.
_SMALL_INPUT = 256


@dataclass(frozen=True)
class _Object:
    """An object on its way.

    Attributes:
        mask: (H, W) bool in the present frame, as flow moves it on; None where it is lost.
        sure: (H, W) bool where it was last found for sure.
        given: its patch in the frame it was given in.
        recent: its patch where it was last found for sure.
        area: of the given mask, pixels.
        iou: predicted for what the model finds in the frame it was given in.
        agreement: 0 where the model finds something else than was given, 1 where it finds the same.
        habit: how the given mask differs from the model's.
        doubted: whether little spoke for it in the present frame; twice in a row, it is lost.
    """

    mask: np.ndarray | None
    sure: np.ndarray
    given: np.ndarray
    recent: np.ndarray
    area: int
    iou: float
    agreement: float
    habit: Habit
    doubted: bool = False

    def likeness(self, image: np.ndarray, mask: np.ndarray) -> float:
        """How much what a mask shows in an image looks like the object."""
        here = patch(image, mask)
        return max(likeness(here, self.given), likeness(here, self.recent))

    def evidence(self, image: np.ndarray, mask: np.ndarray, iou: float) -> float:
        """How much speaks for a mask, 0..1: how the object looks, how sure the model is, and its size.

        What the model finds where an object was until now looks a little like it, is a little surer than
        nothing, and is smaller: each alone would not tell.
        """
        size = mask.sum() / self.area
        # What a model says that never knew the object counts for nothing.
        sureness = 1 - self.agreement * (1 - min(iou / max(self.iou, 0.1), 1.0))
        return max(self.likeness(image, mask), 0.0) * sureness * float(np.sqrt(min(size, 1 / size)))

    def share(self, limits: tuple[float, float]) -> float:
        """The model's share in a mask."""
        return limits[0] + (limits[1] - limits[0]) * self.agreement


@dataclass(frozen=True)
class _Expected:
    """Where an object should be in the next frame.

    Attributes:
        mask: (H, W) bool, there.
        searched: whether it was searched for.
        moved: (H, W) bool where flow takes it, or None where nothing is left of that.
    """

    mask: np.ndarray
    searched: bool
    moved: np.ndarray | None


class Follower:
    """Follows objects through frames that are given one after the other, in either direction.

    Args:
        predictor: segments.
        image: (H, W, 3) uint8 RGB, the first frame.
        masks: id of each object -> its mask (H, W) bool in the first frame; an empty one is lost for good.
    """

    def __init__(
        self,
        predictor: ObjectPredictor,
        image: np.ndarray,
        masks: Mapping[int, np.ndarray] | None = None,
    ) -> None:
        self._predictor, self._image, self._motion = predictor, image, Motion()
        one = partial(threads.of_torch, 1)
        self._threads = one if predictor.engine.img_size <= _SMALL_INPUT else contextlib.nullcontext
        self._pace = _Pace(image)
        self._objects: dict[int, _Object | None] = {}
        for name, mask in (masks or {}).items():
            self.start(name, mask)

    def start(self, name: int, mask: np.ndarray) -> None:
        """Follow an object from the present frame on, or go on from another mask (H, W) bool of it."""
        self._objects[name] = None
        if not mask.any():
            return
        box = _padded(tight_box(mask), mask.shape)
        answer = self._segment(self._image, [box])
        found, iou = answer.masks[0], float(answer.scores[0])
        little, much = _AGREE
        agreement = float(np.clip((_iou(found, mask) - little) / (much - little), 0, 1))
        here = patch(self._image, mask)
        self._objects[name] = _Object(
            mask, mask, here, here, int(mask.sum()), iou, agreement, Habit.of(mask, found)
        )

    def leave(self, name: int) -> None:
        """Do not follow an object any further."""
        self._objects.pop(name, None)

    def step(self, image: np.ndarray) -> dict[int, Tracked | None]:
        """All objects that are followed in the next frame (H, W, 3) uint8 RGB; None where one is lost."""
        near = self._pace.is_near(image)
        expected = {
            name: place
            for name, entry in self._objects.items()
            if entry is not None and (place := self._expected(entry, image)) is not None
        }
        tracked: dict[int, Tracked | None] = dict.fromkeys(self._objects)
        boxes = [_padded(tight_box(place.mask), image.shape) for place in expected.values()]
        found = self._segment(image, boxes) if boxes else None
        for name, entry in self._objects.items():
            if entry is not None:
                self._objects[name] = replace(entry, mask=None)
        for row, (name, place) in enumerate(expected.items()):
            entry = self._objects[name]
            assert entry is not None
            assert found is not None
            mask, iou = entry.habit.apply(found.masks[row]), float(found.scores[row])
            tracked[name], self._objects[name] = _judged(entry, place, mask, iou, boxes[row], image, near)
        self._image = image
        return tracked

    def _segment(self, image: np.ndarray, boxes: Sequence[np.ndarray]) -> Segmentation:
        with self._threads():
            return self._predictor.segment_once(image, [ObjectPrompt(box=box) for box in boxes])

    def _expected(self, entry: _Object, image: np.ndarray) -> _Expected | None:
        """Where flow takes an object, or where else something looks more like it."""
        moved, alike = None, -1.0
        if image.shape != self._image.shape:
            return None
        if entry.mask is not None:
            moved = self._motion.move(entry.mask, self._image, image)
            alike = entry.likeness(image, moved) if moved.any() else -1.0
        moved = moved if moved is not None and moved.any() else None
        if alike < _DOUBTED:
            place = search(image, entry.sure, [entry.given, entry.recent])
            if place is not None and place.likeness > max(alike + _BETTER, _LOST):
                return _Expected(place.mask, True, moved)
        return None if moved is None else _Expected(moved, False, moved)


class _Pace:
    """Whether the frames of a clip are near each other: a third of them so far, and some at least."""

    def __init__(self, image: np.ndarray) -> None:
        self._last, self._frames, self._near = _overview(image), 0, 0

    def is_near(self, image: np.ndarray) -> bool:
        """Note the next frame."""
        here = _overview(image)
        self._frames += 1
        self._near += likeness(here, self._last) >= _NEAR
        self._last = here
        return self._near >= max(_NEAR_FRAMES, self._frames / 3)


def _overview(image: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)


def _judged(
    entry: _Object,
    place: _Expected,
    found: np.ndarray,
    iou: float,
    box: np.ndarray,
    image: np.ndarray,
    near: bool,
) -> tuple[Tracked | None, _Object]:
    """An object in a frame and on its further way; None where what was found is not it.

    What must speak for it depends on whether frames are ``near`` each other.
    """
    apart = _iou(found, place.mask) < _LEAST_OVERLAP
    if place.searched:
        shown = carried = found
    else:
        shown = place.mask if apart else between(place.mask, found, entry.share(_SHOWN))
        carried = between(place.mask, found, entry.share(_CARRIED))
    if not shown.any() or not carried.any():
        return None, replace(entry, doubted=False)
    doubted = entry.evidence(image, shown, iou) < (_FOUND[near] if place.searched else _LOST)
    if doubted and (entry.doubted or place.moved is None):
        return None, replace(entry, doubted=False)
    if doubted and place.searched and place.moved is not None:
        shown = carried = place.moved
    drift = bool(place.searched or apart or doubted or iou < _LEAST_IOU)
    tracked = Tracked(shown, iou, box, drift)
    here = patch(image, shown)
    if not drift and likeness(here, entry.given) > _SURE[near]:
        entry = replace(entry, sure=shown, recent=here)
    return tracked, replace(entry, mask=carried, doubted=doubted)


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else 0.0


def _padded(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    pad = _PAD * max(box[2] - box[0], box[3] - box[1])
    grown = box + np.array([-pad, -pad, pad, pad])
    return np.clip(grown, 0, [shape[1], shape[0], shape[1], shape[0]])
