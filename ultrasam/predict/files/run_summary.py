"""What a run over files did, in numbers, and what became of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ultrasam.predict.files.frame_work import Done


@dataclass
class Summary:
    """What a run did: images segmented, taken over from an earlier run, without prompts, and failed.

    ``lost`` counts, of objects that are followed, the frames in which they were not found; ``removed`` the
    files of earlier runs that went, and ``changed`` names those that stayed since somebody has changed them.
    """

    done: int = 0
    kept: int = 0
    skipped: int = 0
    objects: int = 0
    lost: int = 0
    removed: int = 0
    changed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, part: Summary) -> None:
        """Count what another run did."""
        self.done += part.done
        self.kept += part.kept
        self.skipped += part.skipped
        self.objects += part.objects
        self.lost += part.lost
        self.removed += part.removed
        self.changed += part.changed
        self.failed += part.failed

    def __str__(self) -> str:
        text = f"{self.done} images segmented, {self.objects} objects"
        for count, what in (
            (self.kept, "kept from an earlier run"),
            (self.skipped, "without prompts"),
            (self.lost, "times lost"),
            (self.removed, "files of earlier runs removed"),
        ):
            text += f", {count} {what}" if count else ""
        if self.changed:
            text += f"; of an earlier run and changed since, so left there: {_few(self.changed)}"
        return text + (f", {len(self.failed)} failed" if self.failed else "")

    def count(self, done: Done) -> None:
        """Add a frame."""
        if done.record is None:
            self.skipped += 1
        elif done.kept:
            self.kept += 1
        else:
            self.done += 1
            self.objects += len(done.record["annotations"])
            self.lost += len(done.record["image"].get("lost", ()))


def _few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@dataclass(frozen=True)
class Segmented:
    """What became of a file: on which digest, the records of its frames, what went wrong, and the counts."""

    digest: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    summary: Summary = field(default_factory=Summary)
