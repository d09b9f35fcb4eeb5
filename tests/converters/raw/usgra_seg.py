"""Palette masks, gray and colored images, a test folder inside, another class number."""

import numpy as np
from PIL import Image

from tests.kit.archives import Truth, Want, picture, rect, save


def palette(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels, "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    image.save(path)


def make(root):
    top = root / "usgra-seg/dataset"
    nerve, vessel = rect(6, 6, 20, 20), rect(24, 30, 40, 50)
    labels = np.zeros(nerve.shape, np.uint8)
    labels[nerve], labels[vessel] = 1, 2
    save(top / "images/0000.png", picture(0))
    palette(top / "masks/0000.png", labels)
    save(top / "test/images/0144.png", picture(1, color=True))
    palette(top / "test/masks/0144.png", np.minimum(labels, 1) * (labels == 1))
    save(top / "images/0001.png", picture(2))
    palette(top / "masks/0001.png", labels + labels // 2)
    wants = [
        Want("images/0000.png", [("nerve", nerve), ("vessel", vessel)], picture(0), split="train"),
        Want("test/images/0144.png", [("nerve", nerve)], picture(1, color=True), split="test"),
    ]
    return Truth(wants, ["images/0001.png...unknown label values [3]"])
