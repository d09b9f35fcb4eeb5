"""Stray grays, the rim around white, raw values 1 and 2, equal names in both folders, the other labels."""

import cv2
import numpy as np

from tests.kit.archives import Truth, Want, gray8, jpg, picture, rect, save


def make(root):
    benign, malignant = rect(4, 4, 20, 24), rect(24, 30, 44, 56)
    for n, folder in enumerate(("TrainingDataSet", "TestingDataSet")):
        mask = np.where(benign, 127, 0).astype(np.uint8)
        if n:
            rim = cv2.dilate(gray8(malignant), np.ones((3, 3))) > 0
            mask = np.select([malignant, rim], [255, 127], 0).astype(np.uint8)
        mask[46, :4] = (1, 2, 1, 2)
        jpg(root / f"Data/{folder}/BreastTumourImages/1.jpg", picture(n, color=True))
        save(root / f"Data/{folder}/Expanded-3-channel-Labels/1.png", np.repeat(mask[..., None], 3, 2))
        save(root / f"Data/{folder}/General-1-channel-Labels/1.png", gray8(benign | malignant))
    wants = [
        Want("TrainingDataSet/BreastTumourImages/1.jpg", [("benign_tumour", benign)], split="train"),
        Want("TestingDataSet/BreastTumourImages/1.jpg", [("malignant_tumour", malignant)], split="test"),
    ]
    return Truth(wants)
