"""RGBA with transparent corners, overlapping masks, a normal case without any, another whose mask is lost."""

import numpy as np

from tests.kit.archives import Truth, Want, gray8, picture, rect, rgba, save


def make(root):
    top = root / "BrEaST-Lesions_USG-images_and_masks"
    tumour, first, second = rect(10, 10, 30, 30), rect(20, 20, 40, 50), rect(2, 50, 9, 60)
    alpha = np.full(tumour.shape, 255, np.uint8)
    alpha[:8, :8] = 0
    for n in (1, 36, 45, 50):
        save(top / f"case{n:03d}.png", rgba(picture(n, color=True), alpha))
    for name, mask in (
        ("001_tumor", tumour),
        ("036_tumor", tumour),
        ("036_other1", first),
        ("036_other2", second),
    ):
        save(top / f"case{name}.png", rgba(gray8(mask), gray8(mask)))
    wants = [
        Want("case001.png", [("breast_nodule", tumour)], picture(1, color=True), subject="case001"),
        Want(
            "case036.png",
            [("breast_nodule", tumour), ("other_finding", first), ("other_finding", second)],
            picture(36, color=True),
        ),
    ]
    return Truth(wants, ["case050.png: image without mask"], {"image without foreground": 1})
