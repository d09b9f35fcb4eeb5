"""Equal names in two folders, copies that carry the split, 0/1 masks, a black mask, nested zips."""

import numpy as np

from tests.kit.archives import Truth, Want, gray8, picture, rect, save


def make(root):
    top = root / "DATASET for Deep learning/Polito-Radboud-DeepLearningUS"
    one, two = rect(4, 4, 20, 24), rect(24, 30, 40, 50)
    for n, (folder, name, mask) in enumerate(
        (
            ("BB/Healthy", "a", gray8(one)),
            ("BB/Pathological", "a", two.astype(np.uint8)),
            ("GM/Healthy", "b", gray8(two)),
            ("TA/Healthy", "c", gray8(two & False)),
        )
    ):
        save(top / f"{folder}/Images/{name}.png", picture(n))
        save(top / f"{folder}/Masks/{name}.png", mask)
    for side, name in (("train", "a"), ("test", "b"), ("val", "c")):
        save(top / f"Segmentation_models/data/MuscleCNN/{side}/{name}.png", picture(0))
        save(top / f"Segmentation_models/data/MuscleCNN/{side}annot/{name}.png", one.astype(np.uint8))
    wants = [
        Want("BB/Healthy/Images/a.png", [("muscle_csa", one)], picture(0), split="train"),
        Want("BB/Pathological/Images/a.png", [("muscle_csa", two)], picture(1), split="train"),
        Want("GM/Healthy/Images/b.png", [("muscle_csa", two)], picture(2), split="test"),
    ]
    return Truth(wants, skips={"image without foreground": 1})
