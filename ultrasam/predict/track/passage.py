"""Through a clip frame by frame, in either direction; between two prompted frames from both ends.

From each prompted frame its objects are followed to the next one. Where there is one, they are first followed
from there back, and the two masks of each frame are blended by the frame's distance to both ends: so a
correction on a later frame improves all that lies between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ultrasam.predict.object_predictor import ObjectPredictor
from ultrasam.predict.track.distance import between
from ultrasam.predict.track.follower import Follower
from ultrasam.predict.track.state import TrackingState
from ultrasam.predict.track.tracked import Kept, Tracked

#: Two sides that overlap by less than this (IoU) are a frame to look at.
_AGREE = 0.5


@dataclass(frozen=True)
class Step:
    """One frame's work.

    Attributes:
        frame: its number.
        objects: id -> the object there, None where it is lost, and for all where the frame can't be read, as
            `TrackingState.unread` says; None altogether for a frame on the way back from the next prompted
            one, which is met again.
    """

    frame: int
    objects: dict[int, Tracked | None] | None


@dataclass
class _Ends:
    """The two prompted frames that an object is between: the next one is None where there is none."""

    first: int
    next: int | None
    back: dict[int, Kept | None] = field(default_factory=dict)


def steps(
    predictor: ObjectPredictor, state: TrackingState, start: int, count: int | None = None, step: int = 1
) -> Iterator[Step]:
    """Follow all objects of a state from a frame on; what is found is noted in the state.

    An object begins where it is known: in the first frame if a person or earlier following has it there, else
    at its next prompted frame. Objects that are removed from the state meanwhile are left.

    Args:
        predictor: segments.
        state: the clip.
        start: the first frame.
        count: frames after it; None for all.
        step: 1 forwards, -1 backwards.

    Yields:
        the first frame and those after it, and frames on the way back in between.

    Raises:
        DataError: a prompted frame can't be read; what was found before is kept. Others are passed over.
    """
    last = len(state) - 1 if step > 0 else 0
    if count is not None:
        last = min(start + count, last) if step > 0 else max(start - count, last)
    follower: Follower | None = None
    ends: dict[int, _Ends] = {}
    for frame in range(start, last + step, step):
        image = state.read(frame)
        if image is None:
            yield Step(frame, dict.fromkeys(number for number in ends if number in state.objects))
            continue
        first = follower is None
        found = follower.step(image) if follower is not None else {}
        follower = follower or Follower(predictor, image)
        for number in [number for number in ends if number not in state.objects]:
            follower.leave(number)
            del ends[number]
        objects = {number: _blended(found.get(number), ends[number], frame) for number in ends}
        for number, tracked in objects.items():
            state.objects[number].found[frame] = None if tracked is None else Kept.of(tracked)
        fresh = _anchored(state, frame, first)
        for number, tracked in fresh.items():
            follower.start(number, tracked.mask)
            ends[number] = _Ends(frame, state.objects[number].next_key(frame, step))
        objects |= fresh
        yield from _backwards(predictor, state, frame, {n: ends[n] for n in fresh}, step)
        yield Step(frame, objects)


def _anchored(state: TrackingState, frame: int, first: bool) -> dict[int, Tracked]:
    """The objects that a frame anchors: prompted there, or in the first frame found there before."""
    known = {number: entry for number, entry in state.objects.items() if first or frame in entry.keys}
    placed = {number: entry.at(frame) for number, entry in known.items()}
    return {number: tracked for number, tracked in placed.items() if tracked is not None}


def _backwards(
    predictor: ObjectPredictor, state: TrackingState, frame: int, ends: dict[int, _Ends], step: int
) -> Iterator[Step]:
    """Follow objects from their next prompted frames back to this one; what is found goes into their ends."""
    keys = {number: end.next for number, end in ends.items() if end.next is not None}
    if not keys:
        return
    follower: Follower | None = None
    for back in range(max(keys.values(), key=lambda key: abs(key - frame)), frame, -step):
        image = state.read(back)
        if image is None:
            yield Step(back, None)
            continue
        found = follower.step(image) if follower is not None else {}
        follower = follower or Follower(predictor, image)
        for number, tracked in found.items():
            ends[number].back[back] = None if tracked is None else Kept.of(tracked)
        for number in [number for number, key in keys.items() if key == back]:
            entry = state.objects.get(number)
            if entry is not None and back in entry.keys:
                follower.start(number, entry.keys[back].tracked().mask)
        yield Step(back, None)


def _blended(ahead: Tracked | None, ends: _Ends, frame: int) -> Tracked | None:
    """An object as followed from one end, and from the other where there is one."""
    kept = ends.back.pop(frame, None)
    if kept is None or ends.next is None:
        return ahead
    back = kept.tracked()
    if ahead is None:
        return back
    share = (frame - ends.first) / (ends.next - ends.first)
    mask = between(ahead.mask, back.mask, share)
    nearer = back if share > 0.5 else ahead
    if not mask.any():
        mask = nearer.mask
    apart = (ahead.mask & back.mask).sum() < _AGREE * (ahead.mask | back.mask).sum()
    iou = (1 - share) * ahead.iou + share * back.iou
    return Tracked(mask, iou, nearer.box, bool(apart or nearer.drift))
