"""The objects and calipers of a frame and all that they were: undo and redo."""

from __future__ import annotations

from ultrasam.annotate.objects import AnnotatedObject, Calipers, Objects
from ultrasam.errors import DataError

#: Steps that can be undone in each frame.
DEPTH = 200


class FrameHistory:
    """The states of one frame, and which of them holds.

    Attributes:
        revision: counts all changes up, undone and redone ones too, so that nobody works on an old state.
    """

    def __init__(self, objects: Objects = (), revision: int = 0, calipers: Calipers = ()) -> None:
        self._states: list[tuple[Objects, Calipers]] = [(objects, calipers)]
        self._at = 0
        self.revision = revision

    @property
    def objects(self) -> Objects:
        """As they are."""
        return self._states[self._at][0]

    @property
    def calipers(self) -> Calipers:
        """As they are."""
        return self._states[self._at][1]

    @property
    def states(self) -> list[Objects]:
        """The objects of all states, undone ones too."""
        return [objects for objects, _ in self._states]

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether something was undone, and nothing else done since."""
        return self._at + 1 < len(self._states)

    @property
    def edited(self) -> bool:
        """Whether it was ever changed."""
        return len(self._states) > 1

    def push(self, objects: Objects, calipers: Calipers) -> None:
        """A new state; what was undone is gone."""
        self._states[self._at + 1 :] = [(objects, calipers)]
        del self._states[: -(DEPTH + 1)]
        self._at = len(self._states) - 1
        self.revision += 1

    def step(self, kind: str) -> None:
        """Undo or redo.

        Raises:
            DataError: there is nothing to undo or redo.
        """
        if not (self.can_undo if kind == "undo" else self.can_redo):
            raise DataError(f"there is nothing to {kind} in this frame")
        self._at += -1 if kind == "undo" else 1
        self.revision += 1

    def find(self, number: int | None) -> AnnotatedObject:
        """The object of an id.

        Raises:
            DataError: there is none.
        """
        for entry in self.objects:
            if entry.id == number:
                return entry
        raise DataError(f"this frame has no object {number}: it may have been deleted meanwhile")
