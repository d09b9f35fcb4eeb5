"""Carrying objects of a frame through its clip, up to the next one in which they were corrected."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.annotate import applying
from ultrasam.annotate.descriptions import frame_json
from ultrasam.annotate.objects import AnnotatedObject, Objects, Prompt
from ultrasam.annotate.session import Session
from ultrasam.data import coco
from ultrasam.data.boxes import tight_box
from ultrasam.errors import DataError, PromptError
from ultrasam.predict.track import Tracked, TrackingState, steps


class Propagating:
    """Objects of one frame on their way to others.

    Up to a frame in which they were corrected they are followed from both sides.

    Args:
        session: the session.
        item: number of the clip.
        options: ``from``, a frame; ``to``, the last frame, before or after it (None: the last one);
            ``objects``, ids (None: all labels of the frame).

    Raises:
        UltraSamError: options make no sense.
    """

    def __init__(self, session: Session, item: int, options: Mapping[str, Any]) -> None:
        self._session, self._item = session, item
        clip, start = session.items[item], options.get("from")
        if not isinstance(start, int):
            raise PromptError("'from' is the number of a frame")
        place_size = session.place(item, start)
        end = options.get("to", clip.frames - 1)
        end = clip.frames - 1 if end is None else end
        if not isinstance(end, int) or not 0 <= end < clip.frames:
            raise PromptError(f"'to' is a frame from 0 to {clip.frames - 1}, not {end!r:.40}")
        objects = _chosen(session.store.frame(*place_size).objects, options.get("objects"))
        self._start, self._end = start, end
        self._alive = {entry.track: entry for entry in objects}

    def steps(self, stop: threading.Event) -> Iterator[dict[str, Any]]:
        """Frame by frame until it is told to stop; see `Jobs.propagate`."""
        start, far = self._start, abs(self._end - self._start)
        direction = 1 if self._end >= start else -1
        state = self._state(range(start, self._end + direction, direction))
        total = far + state.way_back(start, direction)
        yield {"done": 0, "total": total, "frame": None}
        work = steps(self._session.assistant.predictor, state, start, far, direction)
        for done, step in enumerate((step for step in work if step.frame != start), start=1):
            changed = None
            if step.objects is not None and step.frame not in state.unread:
                self._leave_corrected(step.frame, state)
                if not self._alive:
                    return
                changed = self._carry(step.frame, step.objects)
            yield {"done": min(done, total), "total": total, "frame": changed}
            if stop.is_set():
                return
        if state.unread:
            frames = ", ".join(map(str, sorted(state.unread)))
            raise DataError(f"passed over frame {frames}: {next(iter(state.unread.values()))}")

    def _state(self, frames: range) -> TrackingState:
        """The frames of a clip, with where these objects, by track, are in the first and were corrected."""
        session, item = self._session, self._item
        images = _Frames(session, item, session.items[item].frames)
        state = TrackingState(images, session.place(item, frames[0])[1])
        for frame in frames:
            place_size = session.place(item, frame)
            known = self._alive.values() if frame == frames[0] else session.store.frame(*place_size).objects
            for entry in known:
                if entry.track in self._alive and entry.area and (frame == frames[0] or _corrected(entry)):
                    mask = coco_mask.decode(dict(entry.mask)).astype(bool)
                    state.set_key(frame, entry.track, Tracked(mask, 1.0, tight_box(mask)))
        return state

    def _leave_corrected(self, frame: int, state: TrackingState) -> None:
        history = self._session.store.frame(*self._session.place(self._item, frame))
        for track in {entry.track for entry in history.objects if _corrected(entry)} & set(self._alive):
            state.objects.pop(track)
            del self._alive[track]

    def _carry(self, frame: int, tracked: Mapping[int, Tracked | None]) -> dict[str, Any]:
        """Put objects into a frame, in the place of what was propagated there before."""
        session = self._session
        place, size = session.place(self._item, frame)
        made = {
            track: self._carried(frame, entry, found)
            for track, entry in self._alive.items()
            if (found := tracked.get(track)) is not None
        }
        with session.store.lock:
            history = session.store.frame(place, size)
            objects: list[AnnotatedObject] = []
            for entry in history.objects:
                if entry.source == "propagated" and entry.track in made:
                    objects.append(replace(made.pop(entry.track), id=entry.id))
                else:
                    # Corrected while this frame was worked on: that counts.
                    made.pop(entry.track, None)
                    objects.append(entry)
            objects += made.values()
            session.change(place, tuple(objects))
            return frame_json(self._item, frame, history)

    def _carried(self, frame: int, entry: AnnotatedObject, found: Tracked) -> AnnotatedObject:
        x1, y1, x2, y2 = (round(float(v), 2) for v in found.box)
        new = AnnotatedObject(
            self._session.store.new_id(),
            entry.category,
            coco.encode(found.mask),
            Prompt((x1, y1, x2, y2)),
            round(found.iou, 4),
            source="propagated",
            drift=found.drift,
            track=entry.track,
        )
        return applying.sized(new, self._session.measurer(self._item, frame))


@dataclass(frozen=True)
class _Frames:
    """The frames of a clip of a session."""

    session: Session
    item: int
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> np.ndarray:
        return self.session.image(self.item, number)


def _corrected(entry: AnnotatedObject) -> bool:
    """Whether a person said where an object is."""
    return entry.source not in ("propagated", "suggested")


def _chosen(objects: Objects, ids: Any) -> Objects:
    """The objects of these ids; all labels for None."""
    known = {entry.id: entry for entry in objects if entry.area and entry.source != "suggested"}
    if ids is None:
        ids = list(known)
    if not isinstance(ids, list) or not all(isinstance(number, int) for number in ids):
        raise PromptError("'objects' is a list of ids")
    missing = [number for number in ids if number not in known]
    if missing or not ids:
        raise PromptError(
            f"object {missing[0]} of this frame can't be propagated: it is no label, or has no mask"
            if missing
            else "there is no object in this frame to propagate"
        )
    return tuple(known[number] for number in ids)
