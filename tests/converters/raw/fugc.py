"""Equal numbers in three parts, an unlabeled image, a value that no lip has."""

import numpy as np

from tests.kit.archives import Truth, Want, picture, rect, save


def make(root):
    top = root / "FUGC (Dataset)/dataset"
    front, back = rect(6, 6, 20, 40), rect(24, 10, 40, 50)
    labels = np.zeros(front.shape, np.uint8)
    labels[front], labels[back] = 1, 2
    wants = []
    for n, (folder, split) in enumerate((("train/labeled_data", "train"), ("val", "val"), ("test", "test"))):
        save(top / f"{folder}/images/1.png", picture(n, color=True))
        save(top / f"{folder}/labels/1.png", labels)
        objects = [("anterior_lip", front), ("posterior_lip", back)]
        wants.append(Want(f"{folder}/images/1.png", objects, picture(n, color=True), split=split))
    save(top / "test/images/2.png", picture(7, color=True))
    save(top / "test/labels/2.png", labels * 3)
    save(top / "train/unlabeled_data/images/9.png", picture(8, color=True))
    return Truth(wants, ["test/images/2.png...unknown label values [3, 6]"], {"unlabeled image": 1})
