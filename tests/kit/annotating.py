"""What tests of the annotator share: a folder of pictures, sessions on it, and what a frame is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tests.kit.pictures import waves
from ultrasam.annotate.session import Session

SIZE = (120, 200)
BOX = [60.0, 30.0, 120.0, 90.0]
#: One edit of each kind that makes or changes an object; OBJECT stands for its id.
OBJECT = "the object"
EDITS: list[dict[str, Any]] = [
    {"kind": "add", "class": 0, "points": [[90.5, 60.5]], "labels": [1]},
    {"kind": "candidate", "object": OBJECT, "candidate": 0},
    {"kind": "candidate", "object": OBJECT, "candidate": 2},
    {"kind": "prompt", "object": OBJECT, "box": BOX, "points": [[70, 40]], "labels": [0]},
    {"kind": "brush", "object": OBJECT, "points": [[10, 10], [50, 30]], "radius": 4, "erase": False},
    {"kind": "brush", "object": OBJECT, "points": [[20, 15]], "radius": 6, "erase": True},
    {"kind": "class", "object": OBJECT, "class": 1},
    {"kind": "brush", "object": None, "class": 1, "points": [[150, 100]], "radius": 9, "erase": False},
    {"kind": "delete", "object": OBJECT},
    {"kind": "clear"},
]


def make_images(folder: Path, count: int = 3) -> Path:
    """Pictures a.png, b.png, ... of 120 x 200."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"{chr(97 + number)}.png"), waves(*SIZE, seed=number)[..., ::-1])
    return folder


def make_clip(path: Path, frames: int = 6, size: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    """A video of a dark ellipse that moves and grows; returns its masks."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(0)
    grain = cv2.GaussianBlur(rng.normal(0, 1, size).astype(np.float32), (0, 0), 1.5) * 60
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (width, height))
    masks = []
    for number in range(frames):
        a, b = 0.17 * width + number * 0.6, 0.2 * height
        mask = ((x - 0.4 * width - 1.5 * number) / a) ** 2 + ((y - 0.5 * height) / b) ** 2 < 1
        picture = np.clip(150 - 110 * mask + np.roll(grain, number, axis=1), 0, 255).astype(np.uint8)
        writer.write(np.repeat(picture[..., None], 3, axis=2))
        masks.append(mask)
    writer.release()
    return masks


class Hand:
    """A user who works on one frame and always knows its newest state."""

    def __init__(self, session: Session, item: int = 0, frame: int = 0) -> None:
        self.session, self.at = session, (item, frame)
        self.frame = session.frame(*self.at)

    @property
    def objects(self) -> list[dict[str, Any]]:
        return self.frame["objects"]

    def do(self, edit: dict[str, Any]) -> dict[str, Any]:
        if edit.get("object") == OBJECT:
            edit = {**edit, "object": self.objects[0]["id"]}
        self.frame = self.session.edit(*self.at, self.frame["revision"], edit)
        return self.frame

    def undo(self) -> dict[str, Any]:
        return self.do({"kind": "undo"})

    def redo(self) -> dict[str, Any]:
        return self.do({"kind": "redo"})


def shown(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """What of a frame outlasts the session: all but its times."""
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in frame["objects"]]
