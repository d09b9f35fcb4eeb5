"""0/255 masks with grays, class numbers in a palette, padding that differs, upper-case endings."""

import numpy as np
from PIL import Image

from tests.kit.archives import Truth, Want, picture, rect, save, soft, text


def make(root):
    top = root / "TNSCUI2020_train"
    mask = rect(8, 8, 24, 32)
    save(top / "image/1.PNG", picture(1))
    save(top / "mask/1.PNG", soft(mask))
    save(top / "image/2.PNG", picture(2))
    palette = Image.fromarray(mask.astype(np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0] + [0] * 750)
    palette.save(top / "mask/00002.PNG")
    text(top / "train.csv", "ID,CATE\n1.PNG,0\n2.PNG,1\n")
    wants = [
        Want("image/1.PNG", [("thyroid_nodule", mask)], picture(1)),
        Want("image/2.PNG", [("thyroid_nodule", mask)], picture(2)),
    ]
    return Truth(wants)
