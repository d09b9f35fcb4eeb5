"""From the store to the COCO file: what it holds, when it is written, and what if somebody else wrote it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from ultrasam.annotate.coco_labels import Entry, Place, annotation_of, categories_of
from ultrasam.annotate.items import Item, Items
from ultrasam.annotate.label_file import ChangedError
from ultrasam.annotate.store import Store
from ultrasam.data import files, images
from ultrasam.errors import DataError, UltraSamError
from ultrasam.predict.files import sources

#: Seconds without a change before the file is written.
_PAUSE = 1.0
#: Seconds before another attempt where it can't be.
_AGAIN = 5.0


class Saver:
    """Writes the COCO file of a store, in the background after a pause, or when it is told to.

    Attributes:
        problem: why the file could not be written; None when it could.
        left_out: objects with an empty mask, which the file can't hold, when it was made last.
    """

    def __init__(self, store: Store, items: Items) -> None:
        self._store, self._items = store, items
        self.problem: str | None = None
        self.left_out = 0
        self._lock, self._wake, self._ended = threading.Lock(), threading.Condition(), False
        self._due: float | None = None
        self._image_ids = {place: entry.get("id") for place, entry in store.imported.images.items()}
        self._frame_names = sources.names([item.source for item in items])
        self._thread = threading.Thread(target=self._run, name="save-labels", daemon=True)
        self._thread.start()
        if not self.saved:
            self.soon()

    @property
    def saved(self) -> bool:
        """Whether all changes are in the file."""
        return self._store.saved_upto >= self._store.journal.last

    def soon(self, pause: float = _PAUSE) -> None:
        """Write after a pause, which each further change begins anew."""
        with self._wake:
            self._due = time.monotonic() + pause
            self._wake.notify()

    def now(self) -> None:
        """Write the file.

        Raises:
            ChangedError: another program has changed it.
            UltraSamError: it can't be written.
        """
        with self._lock:
            try:
                self._write()
                self.problem = None
            except ChangedError as error:
                self._store.conflict = str(error)
                raise
            except UltraSamError as error:
                self.problem = f"{error}; your edits are kept in {self._store.journal.path.name}"
                raise

    def resolve(self, keep: str) -> Path:
        """End a conflict with another program.

        Args:
            keep: ``mine`` or ``theirs``; the other is kept beside.

        Returns:
            where it is kept.

        Raises:
            DataError: it has ended already, on another page perhaps.
        """
        store = self._store
        with self._lock, store.lock:
            if store.conflict is None:
                raise DataError("nothing has to be chosen any more: another page may have done so")
            if keep == "theirs":
                beside = store.file.path.with_suffix(".mine.json")
                files.write_json(beside, self.content())
                store.take_theirs()
                self._image_ids = {p: entry.get("id") for p, entry in store.imported.images.items()}
            else:
                beside = store.file.keep_beside("theirs")
                store.file.take_as_ours()
            store.conflict = None
        self.now()
        return beside

    def close(self) -> None:
        """Write what is not written, and end.

        Raises:
            UltraSamError: it can't be; the journal has it.
        """
        self.abandon()
        if not self.saved and self._store.conflict is None:
            self.now()

    def abandon(self) -> None:
        """End without writing; the journal has what is not written."""
        with self._wake:
            self._ended = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._ended and (self._due is None or time.monotonic() < self._due):
                    self._wake.wait(None if self._due is None else self._due - time.monotonic())
                if self._ended:
                    return
                self._due = None
            if self._store.conflict is not None:
                continue
            try:
                self.now()
            except UltraSamError:
                if self._store.conflict is None:
                    self.soon(_AGAIN)

    def _write(self) -> None:
        store = self._store
        if store.conflict is not None:
            raise ChangedError(store.conflict)
        self.write_frames()
        with store.lock:
            upto, content = store.journal.last, self.content()

        def begin(digest: str) -> None:
            with store.lock:
                store.journal.add({"kind": "saving", "digest": digest, "upto": upto})

        store.file.write(content, begin)
        with store.lock:
            done = store.journal.add({"kind": "saved", "digest": store.file.digest})
            # The two records are no changes.
            store.saved_upto = done if done == upto + 2 else upto

    def content(self) -> dict[str, Any]:
        """The COCO file as it would be written now."""
        store = self._store
        with store.lock:
            imported = store.imported
            categories, category_ids = categories_of(store.labels)
            labelled = store.labelled()
            measured = [place for place, calipers in store.calipers().items() if calipers]
            entries = {id(e): self._image(p, e) for p, e in imported.images.items()}
            listed = [entries.get(id(entry), entry) for entry in imported.content["images"]]
            listed += [self._image(p, {}) for p in self._new_places(labelled, measured)]
            annotations = list(imported.others)
            self.left_out = sum(
                not entry.area
                for objects in labelled.values()
                if not isinstance(objects, int)
                for entry in objects
            )
            for place in dict.fromkeys([*imported.places(), *labelled]):
                annotations += self._annotations(place, labelled.get(place, ()), category_ids)
        return {**imported.content, "images": listed, "annotations": annotations, "categories": categories}

    def _annotations(self, place: Place, objects: Any, category_ids: list[Any]) -> list[Entry]:
        imported = self._store.imported
        if isinstance(objects, int):
            return imported.annotations(place)
        size = self._size(place)
        made = [
            annotation_of(entry, self._image_id(place), category_ids[entry.category])
            for entry in objects
            if entry.area
        ]
        return made + imported.hidden(place, size)

    def _new_places(self, labelled: dict[Place, Any], measured: list[Place]) -> list[Place]:
        """Images, and frames with labels or calipers, that the file does not list yet."""
        wanted = [
            Place(item.name, 0)
            for item in self._items
            if not item.is_clip or (self._store.is_marked(item.name) and not self._has(labelled, item.name))
        ]
        return [
            place
            for place in dict.fromkeys([*wanted, *labelled, *measured])
            if place not in self._store.imported.images and self._size(place)[0]
        ]

    def _has(self, labelled: dict[Place, Any], name: str) -> bool:
        known = (*labelled, *self._store.imported.images)
        return any(place.name == name for place in known)

    def _image(self, place: Place, before: Entry) -> Entry:
        item, state = self._item(place.name), self._store.state(place.name)
        entry = {"id": self._image_id(place), "file_name": place.name, **before}
        if not before:
            entry["height"], entry["width"] = self._size(place)
            if item.is_clip:
                entry["file_name"] = self._frame_file(place)
                entry |= {"source": place.name, "frame": place.frame}
            if item.spacing:
                entry["spacing"] = list(item.spacing)
        return {**entry, **self._measured(place), "state": state.state, "flagged": state.flagged}

    def _measured(self, place: Place) -> Entry:
        """Calipers, where a frame has or had some, with their lengths where the spacing is known."""
        calipers = self._store.calipers().get(place)
        if calipers is None or not (calipers or self._store.imported.calipers(place)):
            return {}
        spacing = self._item(place.name).spacing
        found: Entry = {"calipers": [list(one) for one in calipers]}
        if spacing:
            found["calipers_mm"] = [
                round(float(np.hypot((x2 - x1) * spacing[0], (y2 - y1) * spacing[1])), 2)
                for x1, y1, x2, y2 in calipers
            ]
        return found

    def _image_id(self, place: Place) -> Any:
        if self._image_ids.get(place) is None:
            used = [entry.get("id") for entry in self._store.imported.content["images"]]
            taken = [n for n in (*used, *self._image_ids.values()) if isinstance(n, int)]
            self._image_ids[place] = max(taken, default=0) + 1
        return self._image_ids[place]

    def _size(self, place: Place) -> tuple[int, int]:
        item = self._item(place.name)
        return self._store.known_size(place) or (item.height, item.width)

    def _item(self, name: str) -> Item:
        return self._items.named(name)

    def _frame_file(self, place: Place) -> str:
        name = f"{self._frame_names[self._item(place.name).id]}_{place.frame:05d}.png"
        out = self._store.file.path.absolute()
        folder = out.with_suffix(".frames")
        return Path(os.path.relpath(folder / name, self._items.root)).as_posix()

    def write_frames(self) -> None:
        """Frames of clips with labels or calipers as files of their own, which training can read."""
        measured = [place for place, calipers in self._store.calipers().items() if calipers]
        for place in dict.fromkeys([*self._store.labelled(), *measured]):
            item = self._item(place.name)
            if not item.is_clip:
                continue
            entry = self._store.imported.images.get(place, {})
            path = self._items.root / (entry.get("file_name") or self._frame_file(place))
            if not path.exists():
                self._check_frame_file(path, place)
                pixels = self._items.read(item, place.frame)
                files.write_bytes(path, images.encode_image(pixels))

    def _check_frame_file(self, path: Path, place: Place) -> None:
        """Labels that were given say where frames lie; no stranger's shall make a file anywhere else."""
        real = Path(os.path.realpath(path))
        folders = [os.path.realpath(f) for f in (self._items.root, self._store.file.path.absolute().parent)]
        if real.suffix.lower() != ".png" or not any(real.is_relative_to(folder) for folder in folders):
            raise DataError(
                f"the labels say that frame {place.frame} of {place.name} is the file {path}, which does not "
                "exist: only PNG files beside the images or the labels are made; correct its file_name"
            )
