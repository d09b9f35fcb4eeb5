"""Vessels of the other side (4, 5), turned slices, sweeps without labels, an unknown value."""

import numpy as np

from tests.kit.archives import Truth, Want, ell, nifti, picture, rect


def make(root):
    top = root / "US_data/US_volunteer_dataset"
    gland, artery, vein = ell(8, 10), rect(4, 40, 12, 50), rect(20, 40, 30, 52)
    frames = np.stack([picture(i) for i in range(3)])
    labels = np.zeros(frames.shape, np.float32)
    for value, mask in ((1, gland), (4, artery), (5, vein)):
        labels[1][mask] = value
    wants = []
    for name, more in (("001_P1_1_left", 0), ("001_P2_1_right", 0), ("002_P1_1_left", 6)):
        nifti(top / f"ground_truth_data/US/{name}_US.nii", np.flip(frames, (1, 2)))
        nifti(
            top / f"ground_truth_data/US_thyroid_label/{name}.nii",
            np.flip(labels + more * (labels == 5), (1, 2)),
        )
        if not more:
            objects = [("thyroid", gland), ("carotid", artery), ("jugular", vein)]
            wants.append(Want(f"{name}_US.nii", objects, frames[1], 1, "001"))
    nifti(top / "US/003_P1_1_left_US.nii", frames)
    return Truth(
        wants, ["002_P1_1_left...unknown label values [11]"], {"slice or frame without annotation": 4}
    )
