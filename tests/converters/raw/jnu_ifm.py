"""Class numbers 7 and 8, an empty frame, colored masks to ignore, a mask of other numbers."""

import numpy as np

from tests.kit.archives import Truth, Want, paint, picture, rect, save, text


def make(root):
    bone, head = rect(4, 4, 14, 20), rect(16, 20, 44, 60)

    def add(video, frame, parts):
        top, labels = root / "us_data" / video, np.zeros(bone.shape, np.uint8)
        for value, mask in parts.items():
            labels[mask] = value
        save(top / f"image/{video}_{frame}.png", picture(frame))
        save(top / f"mask/{video}_{frame}_mask.png", labels)
        save(top / f"mask_enhance/{video}_{frame}_mask.png", paint({(255, 0, 0): bone}))
        text(top / "frame_label.csv", "frame_id,frame_label\n")

    add("20190909T155747", 0, {7: bone, 8: head})
    add("20190909T155747", 1, {})
    add("20190916T104520", 0, {8: head})
    add("20190916T104520", 3, {1: head})
    objects = [("pubic_symphysis", bone), ("fetal_head", head)]
    wants = [
        Want("20190909T155747_0.png", objects, picture(0), subject="20190909T155747"),
        Want("20190916T104520_0.png", objects[1:], picture(0)),
    ]
    failures = ["20190916T104520_3.png...unknown label values [1]"]
    return Truth(wants, failures, {"image without foreground": 1})
