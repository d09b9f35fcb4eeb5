"""Sinusoids whose envelope is known, two planes of a lesion, a class that is none, shapes that differ."""

import numpy as np
from scipy.io import savemat

from tests.kit.archives import Truth, Want, rect


def lines(strong: np.ndarray) -> np.ndarray:
    """A carrier with whole periods in depth whose envelope is 1 in columns where `strong` is, else 0.1."""
    depth = np.arange(192)
    carrier = np.cos(2 * np.pi * depth / 8)
    return carrier[:, None] * np.where(strong, 1.0, 0.1)[None]


def make(root):
    strong = np.arange(64) < 20
    mask = rect(8, 10, 30, 40)
    fine = np.repeat(mask, 4, axis=0)
    kind = [(name, object) for name in ("id", "rf1", "rf2", "roi1", "roi2", "birads", "class")]
    rows = []
    for name, label, region in (("A1", 0, fine), ("B2", 1, fine), ("C3", 7, fine), ("D4", 0, fine[:-8])):
        rows.append((name, lines(strong), lines(~strong), fine, region, "4a", label))
    root.mkdir(parents=True, exist_ok=True)
    savemat(root / "OASBUD.mat", {"data": np.array(rows, kind)})
    # 20 log10 of 0.1 is 20 of 60 dB below white.
    image = np.where(np.broadcast_to(strong, mask.shape), 255, 170).astype(np.uint8)
    other = np.where(np.broadcast_to(~strong, mask.shape), 255, 170).astype(np.uint8)
    wants = []
    for name, label in (("A1", "benign"), ("B2", "malignant")):
        for plane, truth in ((1, image), (2, other)):
            extra = {"label": label, "plane": plane, "birads": "4a"}
            objects = [("breast_lesion", mask)]
            wants.append(Want(f"{name}/{plane}", objects, truth, subject=name, extra=extra))
    wants.append(Want("D4/1", [("breast_lesion", mask)], image, subject="D4"))
    return Truth(wants, ["OASBUD.mat: lesion C3: class 7", "OASBUD.mat: plane 2: lines of"])
