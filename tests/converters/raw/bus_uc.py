"""The folder All repeats everything, 01 is not 010, a mask of twice the size, a root called AllData."""

import cv2

from tests.kit.archives import Truth, Want, gray8, picture, rect, save


def make(root):
    top = root / "AllData/BUS_UC/BUS_UC"
    mask, other = rect(6, 8, 20, 20), rect(24, 30, 40, 50)
    twice = cv2.resize(gray8(other), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    for n, (label, name, content) in enumerate(
        (("Benign", "01", gray8(mask)), ("Benign", "010", twice), ("Malignant", "01", gray8(other)))
    ):
        for folder in (label, "All") if name == "010" else (label,):
            save(top / folder / "images" / f"{name}.png", picture(n, color=True))
            save(top / folder / "masks" / f"{name}.png", content)
    wants = [
        Want("Benign/images/01.png", [("breast_benign", mask)], picture(0, color=True)),
        Want("Benign/images/010.png", [("breast_benign", other)], picture(1, color=True)),
        Want("Malignant/images/01.png", [("breast_malignant", other)], picture(2, color=True)),
    ]
    return Truth(wants, [], {"repeated in the folder All": 1}, {"mask resized to the image": 1})
