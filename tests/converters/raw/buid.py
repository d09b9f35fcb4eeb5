"""Numbers restart per class, lesion pictures beside the images, color and palette TIFF masks."""

import numpy as np
from PIL import Image

from tests.kit.archives import Truth, Want, gray8, picture, rect, save


def make(root):
    one, two = rect(5, 5, 20, 20), rect(25, 30, 40, 50)
    for label, seed in (("Benign", 1), ("Malignant", 2)):
        save(root / f"BUID/{label}/1 {label} Image.bmp", picture(seed, color=True))
        save(root / f"BUID/{label}/1 {label} Lesion.bmp", picture(seed + 9, color=True))
    save(
        root / "BUID/Benign/1 Benign Mask.tif", np.repeat(gray8(one)[..., None], 3, 2), compression="tiff_lzw"
    )
    palette = Image.fromarray(two.astype(np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 255, 255, 255] + [0] * 750)
    palette.save(root / "BUID/Malignant/1 Malignant Mask.tif")
    return Truth(
        [
            Want("1 Benign Image.bmp", [("breast_nodule", one)], picture(1, color=True)),
            Want("1 Malignant Image.bmp", [("breast_nodule", two)], picture(2, color=True)),
        ]
    )
