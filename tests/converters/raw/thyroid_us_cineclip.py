"""Byte ids with an underscore, outlines, an empty mask, frames out of order."""

import h5py
import numpy as np

from tests.kit.archives import Truth, Want, picture, rect, text


def make(root):
    top = root / "thyroidultrasoundcineclip"
    top.mkdir(parents=True)
    region = rect(10, 10, 30, 40)
    outline = region & ~rect(11, 11, 29, 39)
    ids = [b"103_", b"103_", b"7_", b"7_", b"103_"]
    masks = [region, outline, region, region & False, region]
    with h5py.File(top / "dataset.hdf5", "w") as file:
        file["image"] = np.stack([picture(i) for i in range(5)])
        file["mask"] = np.stack(masks).astype(np.uint8) * 255
        file["annot_id"] = np.array(ids)
        file["frame_num"] = np.array([b"4", b"5", b"1", b"2", b"6"])
    text(top / "metadata.csv", "annot_id,age\n103_,40\n7_,50\n")
    nodule = [("thyroid_nodule", region)]
    wants = [
        Want("dataset.hdf5", nodule, picture(i), i, clip, extra={"clip_frame": number})
        for i, clip, number in ((0, "103", "4"), (1, "103", "5"), (2, "7", "1"), (4, "103", "6"))
    ]
    return Truth(wants, skips={"slice or frame without annotation": 1})
