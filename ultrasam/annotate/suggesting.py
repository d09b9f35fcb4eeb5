"""Finding everything in a frame: what is found is suggested, to be accepted or rejected one by one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from pycocotools import mask as coco_mask

from ultrasam.annotate import applying
from ultrasam.annotate.descriptions import frame_json
from ultrasam.annotate.objects import AnnotatedObject, Objects, Prompt, Rle
from ultrasam.annotate.session import Session
from ultrasam.errors import DataError, PromptError, UltraSamError
from ultrasam.predict.automatic import Everything, find_everything
from ultrasam.predict.detections import segmented

#: Is told steps done and all steps.
Progress = Callable[[int, int], None]


class _StoppedError(UltraSamError):
    """The user wants no more of it."""


@dataclass(frozen=True)
class _Found:
    """Suggestions, and how many objects had no pixel."""

    objects: Objects
    left_out: int = 0


class Suggesting:
    """The search for everything in one frame.

    Args:
        session: the session.
        item: number of the image.
        frame: of a clip, 0 for a single image.
        options: fields of `Everything`, and ``class`` of the suggestions that say no other (0).

    Raises:
        UltraSamError: options make no sense.
    """

    def __init__(self, session: Session, item: int, frame: int, options: Mapping[str, Any]) -> None:
        names = {field.name for field in fields(Everything)} - {"grid"}
        given = {name: value for name, value in options.items() if name in names}
        if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in given.values()):
            raise PromptError("the options of 'find everything' are numbers")
        self._session, self._at = session, (item, frame)
        self._wanted, self._category = Everything(**given), session.check_class(options.get("class", 0))
        self._place, self._size = session.place(item, frame)

    def steps(self, stop: threading.Event) -> Iterator[dict[str, Any]]:
        """Search in a thread of its own until it is told to stop; see `Jobs.automatic`."""
        told: queue.SimpleQueue[dict[str, Any] | _Found | UltraSamError] = queue.SimpleQueue()

        def progress(done: int, total: int) -> None:
            if stop.is_set():
                raise _StoppedError("stopped")
            told.put({"done": done, "total": total, "frame": None})

        def work() -> None:
            try:
                search = self._found if self._session.proposer is None else self._proposed
                told.put(search(progress))
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
            last = {"done": total, "total": total, "left_out": entry.left_out}
            yield {**last, "frame": self._suggest(entry.objects)}
        finally:
            stop.set()
            worker.join()

    def _found(self, progress: Progress) -> _Found:
        """What the model finds by itself."""
        found = find_everything(self._session.encoded(*self._at), self._wanted, progress)
        made = []
        for code, score, prompt in zip(found.rles(), found.scores, found.objects, strict=True):
            box = None if prompt.box is None else tuple(float(v) for v in prompt.box)
            points = tuple((float(x), float(y)) for x, y in (prompt.points or ()))
            asked = Prompt(box, points, (1,) * len(points))  # type: ignore[arg-type]
            made.append(self._suggestion(self._category, code, asked, float(score)))
        return _Found(tuple(made))

    def _proposed(self, progress: Progress) -> _Found:
        """What the session's proposer finds; classes go by their names."""
        session = self._session
        assert session.proposer is not None
        number = {label.name: index for index, label in enumerate(session.store.labels)}
        made, left_out = [], 0
        for one in segmented(session.encoded(*self._at), session.proposer, progress):
            if one is None:
                left_out += 1
                continue
            category = number.get(one.name or "", self._category)
            made.append(self._suggestion(category, one.mask, Prompt(one.box), one.iou, one.score))
        return _Found(tuple(made), left_out)

    def _suggestion(
        self, category: int, code: Rle, prompt: Prompt, iou: float, detected: float | None = None
    ) -> AnnotatedObject:
        number = self._session.store.new_id()
        entry = AnnotatedObject(
            *(number, category, code, prompt, round(iou, 4)),
            source="suggested",
            detected=None if detected is None else round(detected, 4),
            track=number,
        )
        return applying.sized(entry, self._session.measurer(*self._at))

    def _suggest(self, found: Objects) -> dict[str, Any]:
        """Put suggestions in the place of earlier ones; what has a label already is not suggested."""
        session = self._session
        with session.store.lock:
            history = session.store.frame(self._place, self._size)
            kept = tuple(entry for entry in history.objects if entry.source != "suggested")
            if kept and found:
                codes = [dict(entry.mask) for entry in kept]
                overlap = coco_mask.iou([dict(e.mask) for e in found], codes, [0] * len(codes)).max(axis=1)
                found = tuple(e for e, iou in zip(found, overlap, strict=True) if iou < Everything.overlap)
            if found or len(kept) < len(history.objects):
                session.change(self._place, (*kept, *found))
            return frame_json(*self._at, history)
