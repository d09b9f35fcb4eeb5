"""Three parts, slices without label, a structure that is no muscle, a sweep without mask."""

import numpy as np

from tests.kit.archives import Truth, Want, mha, picture, rect


def make(root):
    inner, outer, bone = rect(4, 4, 20, 30), rect(24, 10, 40, 40), rect(42, 2, 47, 20)
    pictures = np.stack([picture(n) for n in range(3)])
    values = np.zeros(pictures.shape, np.uint8)
    values[0, inner], values[2, outer], values[2, bone] = 100, 200, 50
    wants = []
    for n, split in enumerate(("train", "val", "test")):
        mha(root / f"{split}/sweep{n}/x7.mha", pictures)
        mha(root / f"{split}/sweep{n}/masksX7.mha", values)
        file, who = f"sweep{n}/x7.mha", f"sweep{n}"
        wants += [
            Want(file, [("soleus", inner)], pictures[0], 0, subject=who, split=split),
            Want(file, [("gastrocnemius_lateralis", outer)], pictures[2], 2, split=split),
        ]
    mha(root / "train/sweep9/x1.mha", pictures)
    notes = {"label 50 is no muscle and left out": 6}
    return Truth(wants, ["x1.mha: image without mask"], {"slice or frame without annotation": 3}, notes)
