"""Palette masks, equal names in train and test, a clip in both, background only, crossing artifacts."""

import numpy as np
from PIL import Image

from tests.kit.archives import Truth, Want, picture, rect, save


def make(root):
    top = root / "data-3"
    a_line, b_line = rect(20, 4, 24, 60), rect(4, 30, 44, 34)
    wants = []

    def add(split, stem, seed, labels, palette=False):
        save(top / f"{split}/images/{stem}.png", picture(seed))
        image = Image.fromarray(labels)
        if palette:
            image = image.convert("P")
            image.putpalette([250, 0, 0] * 256)
        (top / f"{split}/masks").mkdir(parents=True, exist_ok=True)
        image.save(top / f"{split}/masks/{stem}.png")

    labels = np.zeros((48, 64), np.uint8)
    labels[a_line] = 3
    labels[b_line] = 4
    crossed = a_line & ~b_line
    left, right = crossed.copy(), crossed.copy()
    left[:, 32:], right[:, :32] = False, False
    objects = [("A_line", left), ("A_line", right), ("B_line", b_line)]
    add("train", "c1-F1", 1, labels, palette=True)
    add("test", "c1-F1", 2, labels)
    add("train", "c2-F1", 3, labels)
    add("train", "c2-F2", 4, labels * 0)
    (top.parent / "VideoClips").mkdir()
    (top.parent / "VideoClips/c1.webm").write_bytes(b"no image")
    wants = [
        Want("train/images/c1-F1.png", objects, picture(1), subject="c1", split="held_out"),
        Want("test/images/c1-F1.png", objects, picture(2), subject="c1", split="test"),
        Want("train/images/c2-F1.png", objects, picture(3), subject="c2", split="train"),
    ]
    return Truth(wants, skips={"image without foreground": 1})
