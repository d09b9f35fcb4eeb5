"""Masks of three times the size with grays, raw value 1, numbers instead of equal names."""

import cv2
import numpy as np

from tests.kit.archives import Truth, Want, picture, rect, save


def make(root):
    mask = rect(30, 30, 90, 100, 128, 128)
    large = cv2.resize(mask.astype(np.uint8), (384, 384), interpolation=cv2.INTER_NEAREST) * 255
    rim = cv2.dilate(large, np.ones((3, 3)))
    large = np.where((large == 0) & (rim > 0), 100, large).astype(np.uint8)
    large[0, :5] = 1
    for n, content in ((1, large), (10, np.where(mask, 200, 0).astype(np.uint8)), (2, large)):
        save(root / f"STU-Hospital/Hospital/Test_Image_{n}.png", picture(n, 128, 128))
        save(root / f"STU-Hospital/Hospital/mask_{n}.png", content)
    wants = [Want(f"Test_Image_{n}.png", [("breast_lesion", mask)], picture(n, 128, 128)) for n in (1, 2, 10)]
    return Truth(wants, notes={"mask resized to the image": 2})
