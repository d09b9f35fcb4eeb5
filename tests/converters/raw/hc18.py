"""Outlines in 255 and in 1, one cut by the border, repeats of an exam, a test set without masks."""

import cv2
import numpy as np

from tests.kit.archives import Truth, Want, picture, save

H, W = 120, 160


def ellipse(center, thickness):
    canvas = np.zeros((H, W), np.uint8)
    cv2.ellipse(canvas, center, (50, 36), 20, 0, 360, 255, thickness)
    return canvas


def make(root):
    cut = ellipse((80, 100), -1) > 0
    line = ellipse((80, 60), 1)
    for n, (name, mask) in enumerate(
        (("000_HC", line), ("010_HC", (line > 0).astype(np.uint8)), ("010_2HC", ellipse((80, 100), 1)))
    ):
        save(root / f"training_set/{name}.png", picture(n, H, W))
        save(root / f"training_set/{name}_Annotation.png", mask)
    save(root / "test_set/000_HC.png", picture(9, H, W))
    flooded = line.copy()
    cv2.floodFill(flooded, None, (0, 0), 7)
    filled = flooded != 7
    wants = [
        Want("training_set/000_HC.png", [("fetal_head", filled)], picture(0, H, W), subject="000"),
        Want("training_set/010_HC.png", [("fetal_head", filled)], picture(1, H, W), subject="010"),
        Want("training_set/010_2HC.png", [("fetal_head", CUT)], picture(2, H, W), subject="010"),
    ]
    assert (CUT & cut).sum() / (CUT | cut).sum() > 0.99
    return Truth(wants, skips={"test image without annotation": 1})


def expected_cut():
    """The fitted ellipse is drawn from its own parameters; it has to be within a pixel of the planted one."""
    from ultrasam.converters.engine.masks import fill_outline

    return fill_outline(ellipse((80, 100), 1) > 0)


CUT = expected_cut()
