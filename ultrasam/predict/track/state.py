"""What is known of a clip's objects: the frames in which a person said where they are, and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ultrasam.errors import DataError, PromptError
from ultrasam.predict.object_prompt import ObjectPrompt
from ultrasam.predict.track.tracked import Kept, Tracked


class FrameReader(Protocol):
    """The frames of a clip, read when they are asked for; a list of arrays is one."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, number: int, /) -> np.ndarray:
        """A frame, (H, W, 3) uint8 RGB."""


@dataclass
class TrackedObject:
    """One object of a clip; frames are counted from 0.

    Attributes:
        keys: frame -> its mask as a person has it there.
        prompts: frame -> the prompt of that, where it is not a mask.
        found: frame -> its mask where following found it; None where it is lost.
    """

    keys: dict[int, Kept] = field(default_factory=dict)
    prompts: dict[int, ObjectPrompt] = field(default_factory=dict)
    found: dict[int, Kept | None] = field(default_factory=dict)

    def at(self, frame: int) -> Tracked | None:
        """The object in a frame; None where it is lost or nothing is known yet."""
        kept = self.keys.get(frame) or self.found.get(frame)
        return None if kept is None else kept.tracked()

    def next_key(self, frame: int, step: int) -> int | None:
        """The next frame after this one in a direction (1 or -1) in which a person said where it is."""
        after = [key for key in self.keys if (key - frame) * step > 0]
        return min(after, key=lambda key: abs(key - frame)) if after else None


@dataclass
class TrackingState:
    """A clip and its objects. Masks are kept as run-length codes and frames not at all.

    Attributes:
        frames: the clip.
        size: (H, W) of its frames.
        objects: by id, in the order in which they were first prompted.
        unread: frame -> why it could not be read when it was met.
    """

    frames: FrameReader
    size: tuple[int, int]
    objects: dict[int, TrackedObject] = field(default_factory=dict)
    unread: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, frame: int) -> np.ndarray | None:
        """A frame, (H, W, 3) uint8 RGB; None for one that can't be read, which is noted in ``unread``.

        Raises:
            DataError: it can't be read, and a person said where something is there.
        """
        try:
            image = self.frames[frame]
        except DataError as error:
            if any(frame in entry.keys for entry in self.objects.values()):
                raise
            self.unread[frame] = str(error)
            for entry in self.objects.values():
                entry.found.pop(frame, None)
            return None
        self.unread.pop(frame, None)
        return image

    def check_frame(self, frame: int) -> int:
        """A frame's number.

        Raises:
            PromptError: there is no such frame.
        """
        if not isinstance(frame, (int, np.integer)) or not 0 <= frame < len(self.frames):
            raise PromptError(f"there is no frame {frame!r}: the clip has frames 0 to {len(self.frames) - 1}")
        return int(frame)

    def set_key(self, frame: int, number: int, tracked: Tracked, prompt: ObjectPrompt | None = None) -> None:
        """Note where an object is in a frame, as a person says.

        Raises:
            PromptError: there is no such frame.
        """
        entry = self.objects.setdefault(number, TrackedObject())
        frame = self.check_frame(frame)
        entry.keys[frame] = Kept.of(tracked)
        entry.prompts.pop(frame, None)
        if prompt is not None:
            entry.prompts[frame] = prompt

    def way_back(self, start: int, step: int) -> int:
        """How many frames lie on the way back from the next prompted one, to a first frame."""
        after = [entry.next_key(start, step) for entry in self.objects.values()]
        return max((abs(key - start) for key in after if key is not None), default=0)

    def lost(self) -> dict[int, list[tuple[int, int]]]:
        """Object -> first and last frame of each stretch in which it was looked for and not found."""
        return {
            number: list(_stretches(sorted(f for f, kept in entry.found.items() if kept is None)))
            for number, entry in self.objects.items()
            if None in entry.found.values()
        }

    def drifting(self) -> dict[int, list[tuple[int, int]]]:
        """Object -> first and last frame of each stretch that should be looked at."""
        return {
            number: list(_stretches(frames))
            for number, entry in self.objects.items()
            if (frames := sorted(f for f, kept in entry.found.items() if kept is not None and kept.drift))
        }


def _stretches(frames: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers of a sorted list."""
    start = 0
    for place in range(1, len(frames) + 1):
        if place == len(frames) or frames[place] != frames[place - 1] + 1:
            yield frames[start], frames[place - 1]
            start = place
