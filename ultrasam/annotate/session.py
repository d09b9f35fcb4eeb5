"""A whole annotation session without any web: images, prompts, objects, undo, classes, labels.

```python
with Session(["images/"], classes=["cyst"]) as session:
    frame = session.frame(0)
    frame = session.edit(0, 0, frame["revision"], {"kind": "add", "class": 0, "box": [9, 9, 80, 70]})
```

Arguments and results are those of the page; what a method has changed is on the disk when it returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import ultrasam
from ultrasam.annotate import applying, class_list, edits
from ultrasam.annotate.assistant import Assistant
from ultrasam.annotate.beginning import alone, default_out, find
from ultrasam.annotate.coco_labels import Place
from ultrasam.annotate.descriptions import frame_json, items_json, measured
from ultrasam.annotate.frame_history import FrameHistory
from ultrasam.annotate.objects import STATES, Objects, Rle
from ultrasam.annotate.saver import Saver
from ultrasam.annotate.store import Store
from ultrasam.errors import DataError, PromptError, UltraSamError
from ultrasam.predict.detections import Proposer
from ultrasam.predict.encoded import Encoded
from ultrasam.predict.engine import EngineName
from ultrasam.predict.pixels import Window
from ultrasam.predict.predictor import Predictor

#: A pause of the user beyond this is no work on the object.
_LONGEST_THOUGHT = 60.0


class StaleError(UltraSamError):
    """An edit was made on a state of the frame that is not the newest; ``frame`` is that."""

    def __init__(self, frame: dict[str, Any]) -> None:
        super().__init__("this frame was changed elsewhere meanwhile; here is its newest state")
        self.frame = frame


class Session:
    """One session; threads may share it.

    Args:
        inputs: images, folders, globs, DICOM files, videos; or one COCO file, whose annotations are shown.
        out: the COCO file of the labels; None for ``labels.json`` in the input folder, or beside the input.
        classes: names of classes that there shall be, besides those of the labels.
        model: a predictor, or weights as `Predictor` takes them.
        engine: as `Predictor` takes it.
        images: the folder of a COCO file's images; None to look beside it.
        window: gray values shown as black and white, for images of more than 8 bits.
        cache: a folder for embeddings; None for none.
        quality: say what each mask is worth; see `Assistant`.
        proposer: finds objects without prompts, a trained detector; None for what the model finds by itself.
        title: what the page is called; None for the input folder's name.

    Raises:
        UltraSamError: inputs or labels can't be used, or the labels can't be written.
    """

    def __init__(
        self,
        inputs: Sequence[str | Path],
        out: str | Path | None = None,
        *,
        classes: Sequence[str] = (),
        model: Predictor | str | Path | None = None,
        engine: EngineName | None = None,
        images: str | Path | None = None,
        window: Window | None = None,
        cache: str | Path | None = None,
        quality: bool = False,
        proposer: Proposer | None = None,
        title: str | None = None,
    ) -> None:
        start, self.items = find(inputs, images, window)
        self.out = Path(out) if out is not None else default_out(inputs, self.items)
        self._alone = alone(self.out)
        try:
            names = [*classes, *(proposer.names if proposer else ())]
            self.store = Store(
                self.out, [item.name for item in self.items], start, list(dict.fromkeys(names))
            )
        except BaseException:
            self._alone.release()
            raise
        self.proposer, self._title = proposer, title or self.items.root.name
        self.model_name = "" if isinstance(model, Predictor) else str(model or "small")
        self.assistant = Assistant(
            lambda: model if isinstance(model, Predictor) else Predictor(model, engine=engine, window=window),
            None if cache is None else Path(cache),
            quality=quality,
        )
        self.saver = Saver(self.store, self.items)
        self.current = 0
        self._touched: dict[Place, float] = {}

    def describe(self) -> dict[str, Any]:
        """All that a page needs to begin."""
        return {
            "title": self._title,
            "out": str(self.out),
            "classes": self.classes(),
            "items": self.describe_items(),
            "current": self.current,
            "saved": self.saver.saved,
            "problem": self.saver.problem,
            "conflict": self.store.conflict,
            "notices": self.store.notices,
            "model": self.model_name,
            "proposer": self.proposer and self.proposer.title,
            "version": ultrasam.__version__,
        }

    def classes(self) -> list[dict[str, Any]]:
        """Names and colors of the classes."""
        return [label.to_json() for label in self.store.labels]

    def describe_items(self) -> list[dict[str, Any]]:
        """The list of images with their states."""
        return items_json(self.store, list(self.items))

    def describe_item(self, number: int) -> dict[str, Any]:
        """One image with its state."""
        return items_json(self.store, [self.items[number]])[0]

    def image(self, item: int, frame: int = 0) -> np.ndarray:
        """The pixels of a frame, (H, W, 3) uint8 RGB."""
        return self.items.read(self.items[item], frame)

    def frame(self, item: int, frame: int = 0) -> dict[str, Any]:
        """The objects of a frame."""
        place, size = self.place(item, frame)
        self.current = item
        self._touched.setdefault(place, time.monotonic())
        return frame_json(item, frame, self.store.frame(place, size))

    def prepare(self, item: int, frame: int = 0) -> None:
        """Encode a frame in the background, and then what is probably looked at next."""
        here = self.items[item]
        after = (item, frame + 1) if frame + 1 < here.frames else (item + 1, 0)
        self._touched[Place(here.name, frame)] = time.monotonic()
        wanted = [(item, frame), after] if after[0] < len(self.items) else [(item, frame)]
        jobs = []
        for number, which in wanted:
            entry = self.items[number]
            try:
                stamp = self.items.stamp(entry)
            except DataError:
                continue
            jobs.append(((entry.id, which, stamp), partial(self.items.read, entry, which)))
        self.assistant.prepare(jobs)

    def hover(self, item: int, frame: int, x: float, y: float) -> dict[str, Any]:
        """What a click would give; nothing is kept."""
        _, (height, width) = self.place(item, frame)
        if not (0 <= x <= width and 0 <= y <= height):
            raise PromptError(f"({x:g}, {y:g}) lies outside the image of {width} x {height}")
        return self.assistant.hover(self.encoded(item, frame), x, y).to_json()

    def edit(self, item: int, frame: int, base: int, content: Mapping[str, Any]) -> dict[str, Any]:
        """Change the objects of a frame.

        Args:
            item: number of the image.
            frame: of a clip, 0 for a single image.
            base: the revision that the edit was made on.
            content: the edit, see `edits.parse`.

        Returns:
            the frame after it.

        Raises:
            StaleError: the frame has another revision by now; nothing was changed.
            UltraSamError: the edit makes no sense, or can't be kept.
        """
        place, size = self.place(item, frame)
        edit = edits.parse(content, size, len(self.store.labels))
        history = self._checked(item, frame, place, size, base)
        answer = None
        if edit.kind in edits.ASKING:
            if edit.kind == "prompt":
                history.find(edit.object)
            # Outside of the lock: others go on meanwhile.
            answer = self.assistant.answer(self.encoded(item, frame), edit.prompt)
        now = time.monotonic()
        with self.store.lock:
            history = self._checked(item, frame, place, size, base)
            if edit.kind in ("undo", "redo"):
                self.store.step(place, edit.kind)
            else:
                seconds = min(now - self._touched.get(place, now), _LONGEST_THOUGHT)
                objects = applying.apply(
                    history.objects,
                    edit,
                    size,
                    new_id=self.store.new_id(),
                    answer=answer,
                    seconds=seconds,
                    measure=self.measurer(item, frame),
                )
                self.store.change(place, objects, edit.calipers)
            self._touched[place] = time.monotonic()
            self.saver.soon()
            return frame_json(item, frame, history)

    def set_state(self, item: int, state: str | None = None, flagged: bool | None = None) -> dict[str, Any]:
        """Accept or skip an image, take that back, or flag it; returns the image's entry in the list."""
        if state not in (None, *STATES):
            raise PromptError(f"the state is one of {', '.join(STATES)}, not {state!r:.40}")
        self.store.set_state(self.items[item].name, state, None if flagged is None else bool(flagged))
        self.saver.soon(0.0 if state == "accepted" else 1.0)
        return self.describe_item(item)

    def set_classes(self, classes: Any) -> list[dict[str, Any]]:
        """Rename, recolor and add classes, in their order; the last may be left out if no object has them."""
        labels = class_list.parse_labels(classes)
        with self.store.lock:
            self.store.set_labels(class_list.changed(self.store.labels, labels, self.store.used_classes()))
            self.saver.soon()
            return self.classes()

    def save(self) -> None:
        """Write the labels now.

        Raises:
            UltraSamError: they can't be written, and why not.
        """
        self.saver.now()

    def resolve(self, keep: str) -> Path:
        """End a conflict with another program that wrote the labels: keep ``mine`` or ``theirs``.

        Returns:
            the file beside, in which the other is kept.
        """
        if keep not in ("mine", "theirs"):
            raise PromptError("keep 'mine' or 'theirs'")
        return self.saver.resolve(keep)

    def close(self) -> None:
        """Write the labels and end."""
        self.assistant.close()
        try:
            self.saver.close()
        finally:
            self.store.close()
            self._alone.release()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def place(self, item: int, frame: int) -> tuple[Place, tuple[int, int]]:
        """A frame's name and size (H, W)."""
        entry = self.items[item]
        height, width = self.items.read(entry, frame).shape[:2]
        return Place(entry.name, frame), (height, width)

    def _checked(self, item: int, frame: int, place: Place, size: tuple[int, int], base: Any) -> FrameHistory:
        history = self.store.frame(place, size)
        if base != history.revision:
            raise StaleError(frame_json(item, frame, history))
        return history

    def encoded(self, item: int, frame: int) -> Encoded:
        """A frame as the model sees it."""
        entry = self.items[item]
        key = (entry.id, frame, self.items.stamp(entry))
        return self.assistant.encode(key, lambda: self.items.read(entry, frame))

    def change(self, place: Place, objects: Objects) -> None:
        """New objects of a frame; on the disk when this returns."""
        self.store.change(place, objects)
        self.saver.soon()

    def check_class(self, number: Any) -> int:
        """The index of a class.

        Raises:
            PromptError: there is none of this number.
        """
        return edits.check_class(number, len(self.store.labels))

    def measurer(self, item: int, frame: int) -> Callable[[Rle], dict[str, float] | None]:
        """Gives the sizes in mm of a frame's masks."""
        return partial(measured, self.items, self.items[item], frame)
