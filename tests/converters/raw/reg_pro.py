"""Turned sagittal slices, overlapping channels, tiny landmarks, a gland that is not first, MR."""

import numpy as np

from tests.kit.archives import Truth, Want, ell, nifti, picture, rect


def make(root):
    top = root / "mr_reg"
    gland, mark, dot = ell(10, 12), rect(12, 13, 17, 17), rect(40, 60, 42, 62)
    slices = np.stack([picture(i) for i in range(3)])
    channels = np.zeros((6, *slices.shape), np.uint8)
    channels[0, 1:][:, gland] = 1
    channels[3, 1][mark] = 1
    channels[5, 1][dot] = 1

    def stored(volume):
        return np.moveaxis(np.flip(volume, (-2, -1)), -3, -1)

    wants = []
    for split, name in (("train", "case000000"), ("val", "case000065"), ("train", "case000002")):
        wrong = name == "case000002"
        volume = slices.astype(np.float32) * 2 if split == "val" else slices.astype(np.float32)
        nifti(top / f"{split}/us_images/{name}.nii.gz", stored(volume))
        nifti(top / f"{split}/us_labels/{name}.nii.gz", stored(channels[::-1] if wrong else channels))
        nifti(top / f"{split}/mr_images/{name}.nii.gz", stored(volume))
        nifti(top / f"{split}/mr_labels/{name}.nii.gz", stored(channels))
        if not wrong:
            image = slices[1] if split == "train" else None
            both = [("prostate", gland), ("landmark", mark)]
            wants.append(Want(f"us_images/{name}.nii.gz", both, image, 1, name, split))
            wants.append(Want(f"us_images/{name}.nii.gz", both[:1], None, 2, name, split))
    high = int(slices.max()) * 2
    notes = {"speck: landmark": 2, f"gray values 0 to {high} scaled to 0 to 255": 2}
    failures = ["case000002...channel 5 is the largest"]
    return Truth(wants, failures, {"slice or frame without annotation": 2}, notes)
