"""Polygons and run lengths, a copy in another part, a listed image that is missing."""

import numpy as np
from pycocotools import mask as coco_mask

from tests.kit.archives import Truth, Want, dump, jpg, picture, rect

NAME = "kidney"


def make(root):
    body = rect(8, 10, 30, 40)
    rle = coco_mask.encode(np.asfortranarray(body, np.uint8))
    counts = rle["counts"].decode()
    # COCO's polygons run along the borders of pixels.
    outline = [[10, 8, 40, 8, 40, 30, 10, 30]]

    def add(part, names, segmentation):
        images, objects = [], []
        for n, name in enumerate(names, 1):
            images.append({"id": n, "file_name": name, "height": 48, "width": 64})
            entry = {"id": n, "image_id": n, "category_id": 1, "segmentation": segmentation}
            objects.append(entry | {"bbox": [10, 8, 30, 22], "area": 660, "iscrowd": 0})
            if not name.startswith("gone"):
                jpg(root / part / name, picture(n, color=True))
        kinds = [{"id": 0, "name": "objects"}, {"id": 1, "name": NAME.title()}]
        content = {"images": images, "annotations": objects, "categories": kinds}
        dump(root / part / "_annotations.coco.json", content)

    add("train", ["a_png.rf.123.jpg", "b_png.rf.5.jpg"], outline)
    add("test", ["c_png.rf.9.jpg", "a_png.rf.77.jpg", "gone.jpg"], {"size": [48, 64], "counts": counts})
    objects = [(NAME, body)]
    wants = [
        Want("train/b_png.rf.5.jpg", objects, split="train", subject="b_png"),
        Want("test/c_png.rf.9.jpg", objects, split="test"),
        Want("test/a_png.rf.77.jpg", objects, split="test", subject="a_png"),
        Want("train/a_png.rf.123.jpg", objects, split="held_out", subject="a_png"),
    ]
    return Truth(wants, ["test/gone.jpg: listed in _annotations.coco.json but missing"])
