"""Three equal channels first, a missing structure, labels over the sector, a real volume."""

import numpy as np

from tests.kit.archives import Truth, Want, mha, picture, rect


def make(root):
    top = root / "Pubic Symphysis-Fetal Head Segmentation and Angle of Progression"
    sector, bone, head = rect(0, 0, 48, 50), rect(4, 4, 14, 20), rect(16, 20, 44, 60)
    pictures = [np.where(sector, picture(n), 0).astype(np.uint8) for n in range(3)]
    for n, (image, parts) in enumerate(
        zip(pictures, ({1: bone, 2: head}, {1: bone}, {1: bone}), strict=True)
    ):
        labels = np.zeros(image.shape, np.uint8)
        for value, mask in parts.items():
            labels[mask] = value
        channels = np.stack([image] * 3)
        if n == 2:
            channels[1] = 7
        mha(top / f"image_mha/{n:05d}.mha", channels)
        mha(top / f"label_mha/{n:05d}.mha", labels)
    wants = [
        Want(
            "00000.mha",
            [("pubic_symphysis", bone), ("fetal_head", head)],
            pictures[0],
            subject="numbers 00000",
        ),
        Want("00001.mha", [("pubic_symphysis", bone)], pictures[1]),
    ]
    notes = {"more than 5 % of the label lies outside of the sector": 1}
    return Truth(wants, ["00002.mha...three equal channels"], {}, notes)
