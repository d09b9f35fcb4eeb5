"""All that is known of the labels: frames with their histories, states of images, classes; and their journal.

A change is in the journal before it counts. The COCO file is written from a snapshot; the journal says which
file holds what, so that after any end of the process nothing is missing and nothing foreign is overwritten.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ultrasam.annotate.coco_labels import Imported, Place, some_names
from ultrasam.annotate.frame_history import FrameHistory
from ultrasam.annotate.journal import Journal, Record
from ultrasam.annotate.label_file import LabelFile
from ultrasam.annotate.objects import (
    STATES,
    AnnotatedObject,
    Calipers,
    ItemState,
    Label,
    Objects,
    as_calipers,
    color_of,
)
from ultrasam.errors import DataError

#: A longer journal is begun anew at the end of a session whose labels are all in the file.
_LONGEST = 64 * 2**20
_CHANGES = ("edit", "undo", "redo", "state", "classes")


class Store:
    """The labels of a session; its methods may be called by several threads.

    Args:
        out: the COCO file; it need not exist.
        names: of the items.
        start: content of a COCO file to begin with, where ``out`` does not exist.
        classes: names of classes that there shall be.

    Attributes:
        file: the COCO file.
        imported: what it said when it was read.
        labels: the classes.
        conflict: what to tell the user while another program's file and ours both stand.
        notices: what was found at the start and should be known.
    """

    def __init__(
        self,
        out: Path,
        names: Sequence[str],
        start: Mapping[str, Any] | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        self.lock = threading.RLock()
        self._names, self._start = list(names), start
        self._known = set(names)
        self.file = LabelFile(out)
        self.journal = Journal(out.with_name(f"{out.name}.journal"))
        self.notices: list[str] = []
        self.conflict: str | None = None
        self._base_revision = 0
        self._begin()
        if self.imported.foreign:
            self.journal.close()
            raise DataError(
                f"{out} holds the labels of other images ({some_names(self.file.content)}): none of them "
                f"is among the {len(self._names)} given; choose another --out"
            )
        self._replay()
        missing = [name for name in classes if name not in {label.name for label in self.labels}]
        if missing or not self.labels:
            first = len(self.labels)
            added = [Label(name, color_of(first + i)) for i, name in enumerate(missing or ["object"])]
            self.set_labels([*self.labels, *added])

    def _begin(self) -> None:
        """Everything as the file says it."""
        content = self._start if self.file.digest is None and self._start else self.file.content
        self.imported = Imported(content, self._names)
        self.labels: list[Label] = self.imported.labels
        self._frames: dict[Place, FrameHistory] = {}
        self._states: dict[str, ItemState] = {}
        for place, entry in self.imported.images.items():
            state = entry.get("state")
            known = ItemState(state if state in STATES else "todo", bool(entry.get("flagged", False)))
            self._states.setdefault(place.name, known)
        self._last_id = self.imported.last_id
        self._sizes: dict[Place, tuple[int, int]] = {}
        self.saved_upto = self.journal.last

    def _replay(self) -> None:
        """Take up the journal of earlier sessions, where it belongs to the file."""
        records, digest = self.journal.records, self.file.digest
        known: set[str | None] = {r["digest"] for r in records if r["kind"] in ("base", "saving")}
        begun = {r["digest"]: r["upto"] for r in records if r["kind"] == "saving"}
        upto = max((begun.get(r["digest"], 0) for r in records if r["kind"] == "saved"), default=0)
        # The file that was being written when the process ended has come to its place.
        upto = max(upto, begun.get(digest, 0)) if digest else upto
        unsaved = any(r["kind"] in _CHANGES and r["n"] > upto for r in records)
        ours = not records or digest in known
        if not ours and not unsaved:
            self.journal.restart(self.journal.path.with_name(f"{self.journal.path.name}.old"))
            if digest is not None:
                self.notices.append(
                    f"{self.file.path} was changed by another program since it was written here: its labels "
                    "are shown, and earlier edits can't be undone any more"
                )
            records, ours = [], True
        lost = sum(not self._take(record) for record in records)
        if not ours and digest is not None:
            self.conflict = (
                f"{self.file.path} was changed by another program while edits of yours were not in it yet: "
                "choose which of the two to keep"
            )
        if self.journal.damaged or lost:
            self.notices.append(
                f"{self.journal.damaged + lost} records of {self.journal.path} are damaged and left out; "
                f"it is kept as {self.journal.path.name}.damaged"
            )
        if not records:
            self.journal.add({"kind": "base", "digest": digest})
        self.saved_upto = upto if records else self.journal.last
        self.journal.records = []

    def _take(self, record: Record) -> bool:
        """Repeat a change; whether it could be."""
        kind = record["kind"]
        if kind == "state":
            self._states[record["image"]] = ItemState(record["state"], record["flagged"])
        elif kind == "classes":
            self.labels = [Label(r["name"], r["color"], r.get("category")) for r in record["classes"]]
        elif kind in ("edit", "undo", "redo") and record["image"] in self._known:
            # Those of images that are not given today stay in the journal for the day when they are.
            return self._take_edit(Place(record["image"], record["frame"]), record)
        return True

    def _take_edit(self, place: Place, record: Record) -> bool:
        history = self._frames.get(place)
        if history is None:
            if "base" not in record:
                return False
            base = tuple(AnnotatedObject.from_json(entry) for entry in record["base"])
            measured = as_calipers(record.get("base_calipers"))
            history = self._frames[place] = FrameHistory(base, record["revision"] - 1, measured)
            self._note_ids(base)
        if record["kind"] != "edit":
            if not (history.can_undo if record["kind"] == "undo" else history.can_redo):
                return False
            history.step(record["kind"])
        else:
            known = {entry.id: entry for entry in history.objects}
            changed = [AnnotatedObject.from_json(entry) for entry in record["set"]]
            known |= {entry.id: entry for entry in changed}
            if not all(number in known for number in record["order"]):
                return False
            calipers = as_calipers(record["calipers"]) if "calipers" in record else history.calipers
            history.push(tuple(known[number] for number in record["order"]), calipers)
            self._note_ids(changed)
        self._sizes[place] = tuple(record["size"])
        history.revision = record["revision"]
        return True

    def _note_ids(self, objects: Iterable[AnnotatedObject]) -> None:
        self._last_id = max((self._last_id, *(entry.id for entry in objects)))

    def new_id(self) -> int:
        """An id that no object had."""
        with self.lock:
            self._last_id += 1
            return self._last_id

    def frame(self, place: Place, size: tuple[int, int]) -> FrameHistory:
        """The history of a frame of ``size`` (H, W).

        Raises:
            DataError: the labels are of an image of another size.
        """
        with self.lock:
            self._sizes.setdefault(place, size)
            history = self._frames.get(place)
            if history is None:
                objects, measured = self.imported.objects(place, size)[0], self.imported.calipers(place)
                history = FrameHistory(objects, self._base_revision, measured)
                self._frames[place] = history
            elif any(tuple(entry.mask["size"]) != size for entry in history.objects):
                raise DataError(
                    f"the labels of {place.name} are of an image of another size than {size[1]} x {size[0]}: "
                    "has the file been replaced?"
                )
            return history

    def change(self, place: Place, objects: Objects, calipers: Calipers | None = None) -> FrameHistory:
        """New objects of a frame, and calipers where they change, in the journal and in effect."""
        with self.lock:
            history = self._frames[place]
            old = {entry.id: entry for entry in history.objects}
            self._write(
                place,
                "edit",
                {
                    "order": [entry.id for entry in objects],
                    "set": [entry.stored() for entry in objects if old.get(entry.id) is not entry],
                    **({} if calipers is None else {"calipers": calipers}),
                },
            )
            history.push(objects, history.calipers if calipers is None else calipers)
            return history

    def step(self, place: Place, kind: str) -> FrameHistory:
        """Undo or redo, in the journal and in effect.

        Raises:
            DataError: there is nothing to undo or redo.
        """
        with self.lock:
            history = self._frames[place]
            if not (history.can_undo if kind == "undo" else history.can_redo):
                raise DataError(f"there is nothing to {kind} in this frame")
            self._write(place, kind, {})
            history.step(kind)
            return history

    def _write(self, place: Place, kind: str, what: Record) -> None:
        history = self._frames[place]
        told = {"kind": kind, "image": place.name, "frame": place.frame, "revision": history.revision + 1}
        stored = [entry.stored() for entry in history.objects]
        base = {} if history.edited else {"base": stored, "base_calipers": history.calipers}
        self.journal.add({**told, "size": list(self._sizes[place]), **base, **what})

    def state(self, name: str) -> ItemState:
        """What is done with an item."""
        return self._states.get(name, ItemState())

    def set_state(self, name: str, state: str | None, flagged: bool | None) -> None:
        """Accept or skip an item, or flag it; None leaves as it is."""
        with self.lock:
            old = self.state(name)
            new = replace(old, state=state or old.state, flagged=old.flagged if flagged is None else flagged)
            self.journal.add({"kind": "state", "image": name, "state": new.state, "flagged": new.flagged})
            self._states[name] = new

    def set_labels(self, labels: Sequence[Label]) -> None:
        """Other classes; the number of a class stays its number."""
        with self.lock:
            told = [{**label.to_json(), "category": label.category} for label in labels]
            self.journal.add({"kind": "classes", "classes": told})
            self.labels = list(labels)

    def labelled(self) -> dict[Place, Objects | int]:
        """The frames with labels: their objects, or how many the file has; suggestions are no labels."""
        with self.lock:
            found: dict[Place, Objects | int] = {p: self.imported.count(p) for p in self.imported.places()}
            for place, history in self._frames.items():
                found[place] = tuple(e for e in history.objects if e.source != "suggested")
            return {place: what for place, what in found.items() if what}

    def calipers(self) -> dict[Place, Calipers]:
        """The calipers of all frames that were looked at, none where they were taken away."""
        with self.lock:
            return {place: history.calipers for place, history in self._frames.items()}

    def used_classes(self) -> set[int]:
        """Indices of classes that objects have, undone ones too."""
        with self.lock:
            used = {entry.category for h in self._frames.values() for state in h.states for entry in state}
            ids = {label.category["id"]: i for i, label in enumerate(self.imported.labels) if label.category}
            for place in self.imported.places():
                used |= {ids.get(a.get("category_id"), 0) for a in self.imported.annotations(place)}
            return used

    def is_marked(self, name: str) -> bool:
        """Whether an item is accepted, skipped or flagged."""
        return self.state(name) != ItemState()

    def known_size(self, place: Place) -> tuple[int, int] | None:
        """(H, W) of a frame that was looked at, or has been edited."""
        return self._sizes.get(place)

    def take_theirs(self) -> None:
        """Give up all labels for those that are in the file now."""
        with self.lock:
            newest = max((history.revision for history in self._frames.values()), default=0)
            self._base_revision = max(self._base_revision, newest) + 1
            self.file.read()
            self.journal.restart()
            self._begin()
            self.journal.add({"kind": "base", "digest": self.file.digest})
            self.saved_upto = self.journal.last

    def close(self) -> None:
        """Close the journal, which keeps the history; one that has grown too long begins anew."""
        with self.lock:
            if len(self.journal) > _LONGEST and self.saved_upto >= self.journal.last:
                self.journal.restart()
            self.journal.close()
