"""Three equal channels first, a label value that is none, an image without label."""

import numpy as np

from tests.kit.archives import Truth, Want, mha, picture, rect


def make(root):
    bone, head = rect(4, 4, 14, 20), rect(16, 20, 44, 60)
    labels = np.zeros(bone.shape, np.uint8)
    labels[bone], labels[head] = 1, 2
    for n in range(3):
        mha(root / f"PSFHS/image_mha/{n:05d}.mha", np.stack([picture(n)] * 3))
    mha(root / "PSFHS/label_mha/00000.mha", labels)
    mha(root / "PSFHS/label_mha/00001.mha", labels * 2)
    objects = [("pubic_symphysis", bone), ("fetal_head", head)]
    failures = ["00001.mha...unknown label values [4]", "00002.mha: image without mask"]
    return Truth([Want("00000.mha", objects, picture(0))], failures)
