"""Long work of a session, step by step: masks of everything, and objects carried through a clip."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.annotate import edits
from ultrasam.annotate.label_file import Place
from ultrasam.annotate.objects import AnnotatedObject, Objects, Prompt, Rle
from ultrasam.annotate.session import Session
from ultrasam.data import coco
from ultrasam.data.boxes import tight_box
from ultrasam.errors import DataError, PromptError, UltraSamError
from ultrasam.predict.automatic import Everything, find_everything
from ultrasam.predict.track import Tracked, TrackingState, steps

#: ``{"done": steps, "total": steps, "frame": the frame that has changed, or None}``.
Step = dict[str, Any]
#: Is told steps done and all steps.
Progress = Callable[[int, int], None]


class _StoppedError(UltraSamError):
    """The user wants no more of it."""


class Jobs:
    """The long work of a session; one job for each item at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: dict[int, threading.Event] = {}
        self._lock = threading.Lock()

    def stop(self, item: int) -> None:
        """End the work on an item after its present step."""
        with self._lock:
            if item in self._running:
                self._running[item].set()

    def automatic(self, item: int, frame: int, options: Mapping[str, Any]) -> Iterator[Step]:
        """Find everything in a frame; what is found is suggested, in one step that can be undone.

        Args:
            item: number of the image.
            frame: of a clip, 0 for a single image.
            options: fields of `Everything`, and ``class`` of the suggestions (0).

        Raises:
            UltraSamError: options make no sense, or another job works on the item.
        """
        session = self._session
        names = {field.name for field in fields(Everything)} - {"grid"}
        given = {name: value for name, value in options.items() if name in names}
        if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in given.values()):
            raise PromptError("the options of 'find everything' are numbers")
        wanted, category = Everything(**given), session.check_class(options.get("class", 0))
        place, size = session.place(item, frame)
        stop = self._begin(item)
        told: queue.SimpleQueue[Step | Objects | UltraSamError] = queue.SimpleQueue()

        def progress(done: int, total: int) -> None:
            if stop.is_set():
                raise _StoppedError("stopped")
            told.put({"done": done, "total": total, "frame": None})

        def work() -> None:
            try:
                search = self._clicked if session.finder is None else self._proposed
                told.put(search(item, frame, wanted, category, progress))
            except UltraSamError as error:
                told.put(error)
            except Exception as error:
                told.put(DataError(f"finding everything failed: {error}"))
                raise

        worker = threading.Thread(target=work, name="find-everything", daemon=True)
        worker.start()
        total = 1
        try:
            while isinstance(entry := told.get(), dict):
                total = entry["total"]
                yield entry
            if isinstance(entry, _StoppedError):
                return
            if isinstance(entry, UltraSamError):
                raise entry
            yield {"done": total, "total": total, "frame": self._suggest(item, frame, place, size, entry)}
        finally:
            stop.set()
            worker.join()
            self._end(item)

    def _clicked(
        self, item: int, frame: int, wanted: Everything, category: int, progress: Progress
    ) -> Objects:
        """What a grid of clicks finds."""
        found = find_everything(self._session.encoded(item, frame), wanted, progress)
        made = []
        for code, score, prompt in zip(found.rles(), found.scores, found.objects, strict=True):
            box = None if prompt.box is None else tuple(float(v) for v in prompt.box)
            points = tuple((float(x), float(y)) for x, y in (prompt.points or ()))
            asked = Prompt(box, points, (1,) * len(points))  # type: ignore[arg-type]
            made.append(self._suggestion(item, frame, category, code, asked, float(score)))
        return tuple(made)

    def _proposed(
        self, item: int, frame: int, wanted: Everything, category: int, progress: Progress
    ) -> Objects:
        """What the session's finder finds; classes go by their names."""
        session = self._session
        assert session.finder is not None
        progress(0, 1)
        found = session.finder.find(session.image(item, frame))
        progress(1, 1)
        number = {label.name: index for index, label in enumerate(session.store.labels)}
        return tuple(
            self._suggestion(
                item, frame, number.get(one.name, category), coco.encode(one.mask), Prompt(), one.score
            )
            for one in found
            if one.mask.any()
        )

    def _suggestion(
        self, item: int, frame: int, category: int, code: Rle, prompt: Prompt, score: float
    ) -> AnnotatedObject:
        number = self._session.store.new_id()
        entry = AnnotatedObject(
            number, category, code, prompt, round(score, 4), source="suggested", track=number
        )
        return edits.sized(entry, self._session.measurer(item, frame))

    def _suggest(self, item: int, frame: int, place: Place, size: tuple[int, int], found: Objects) -> Step:
        """Put suggestions in the place of earlier ones; what has a label already is not suggested."""
        session = self._session
        with session.store.lock:
            history = session.store.frame(place, size)
            kept = tuple(entry for entry in history.objects if entry.source != "suggested")
            if kept and found:
                codes = [dict(entry.mask) for entry in kept]
                overlap = coco_mask.iou([dict(e.mask) for e in found], codes, [0] * len(codes)).max(axis=1)
                found = tuple(e for e, iou in zip(found, overlap, strict=True) if iou < Everything.overlap)
            if found or len(kept) < len(history.objects):
                session.change(place, (*kept, *found))
            return session.frame_json(item, frame, history)

    def propagate(self, item: int, options: Mapping[str, Any]) -> Iterator[Step]:
        """Carry objects of a frame to others, up to the next one in which the object was corrected.

        Up to there they are followed from both sides.

        Args:
            item: number of the clip.
            options: ``from``, a frame; ``to``, the last frame, before or after it (None: the last one);
                ``objects``, ids (None: all labels of the frame).

        Raises:
            UltraSamError: options make no sense, or another job works on the item.
        """
        session, clip = self._session, self._session.items[item]
        start, place_size = options.get("from"), None
        if not isinstance(start, int):
            raise PromptError("'from' is the number of a frame")
        place_size = session.place(item, start)
        end = options.get("to", clip.frames - 1)
        end = clip.frames - 1 if end is None else end
        if not isinstance(end, int) or not 0 <= end < clip.frames:
            raise PromptError(f"'to' is a frame from 0 to {clip.frames - 1}, not {end!r:.40}")
        objects = _chosen(session.store.frame(*place_size).objects, options.get("objects"))
        stop = self._begin(item)
        try:
            alive = {entry.track: entry for entry in objects}
            direction = 1 if end >= start else -1
            state = self._state(item, alive, range(start, end + direction, direction))
            total = abs(end - start) + state.way_back(start, direction)
            yield {"done": 0, "total": total, "frame": None}
            work = steps(session.assistant.predictor, state, start, abs(end - start), direction)
            for done, step in enumerate((step for step in work if step.frame != start), start=1):
                changed = None
                if step.objects is not None:
                    self._leave_corrected(item, step.frame, alive, state)
                    if not alive:
                        return
                    changed = self._carry(item, step.frame, alive, step.objects)
                yield {"done": min(done, total), "total": total, "frame": changed}
                if stop.is_set():
                    return
        finally:
            self._end(item)

    def _state(self, item: int, objects: Mapping[int, AnnotatedObject], frames: range) -> TrackingState:
        """The frames of a clip, with where these objects, by track, are in the first and were corrected."""
        session = self._session
        clip = session.items[item]
        state = TrackingState(_Frames(session, item, clip.frames), session.place(item, frames[0])[1])
        for frame in frames:
            place_size = session.place(item, frame)
            for entry in objects.values() if frame == frames[0] else session.store.frame(*place_size).objects:
                if entry.track in objects and entry.area and (frame == frames[0] or _corrected(entry)):
                    mask = coco_mask.decode(dict(entry.mask)).astype(bool)
                    state.set_key(frame, entry.track, Tracked(mask, 1.0, tight_box(mask)))
        return state

    def _leave_corrected(
        self, item: int, frame: int, alive: dict[int, AnnotatedObject], state: TrackingState
    ) -> None:
        history = self._session.store.frame(*self._session.place(item, frame))
        for track in {entry.track for entry in history.objects if _corrected(entry)} & set(alive):
            state.objects.pop(track)
            del alive[track]

    def _carry(
        self,
        item: int,
        frame: int,
        alive: Mapping[int, AnnotatedObject],
        tracked: Mapping[int, Tracked | None],
    ) -> Step:
        """Put objects into a frame, in the place of what was propagated there before."""
        session = self._session
        place, size = session.place(item, frame)
        made = {
            track: self._carried(item, frame, entry, found)
            for track, entry in alive.items()
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
            return session.frame_json(item, frame, history)

    def _carried(self, item: int, frame: int, entry: AnnotatedObject, found: Tracked) -> AnnotatedObject:
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
        return edits.sized(new, self._session.measurer(item, frame))

    def _begin(self, item: int) -> threading.Event:
        with self._lock:
            if item in self._running:
                raise DataError("work on this image is going on already: stop it first")
            self._running[item] = threading.Event()
            return self._running[item]

    def _end(self, item: int) -> None:
        with self._lock:
            self._running.pop(item, None)


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
