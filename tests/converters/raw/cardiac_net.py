"""Images in folders that are called as files, a plain file, unlabeled frames, a strange value, no label."""

import numpy as np

from tests.kit.archives import Truth, Want, nifti, picture, rect


def make(root):
    chamber, other = rect(8, 8, 20, 30), rect(24, 10, 40, 40)
    frames = np.stack([picture(n) for n in range(3)])
    labels = np.zeros(frames.shape, np.uint8)
    labels[1, chamber], labels[1, other] = 1, 4
    top = root / "CardiacNet-ASD"
    nifti(top / "ASD/1_image.nii/scan.nii", frames)
    nifti(top / "ASD/1_label.nii", labels)
    nifti(top / "Non-ASD/1_image.nii.gz", frames)
    nifti(top / "Non-ASD/1_label.nii.gz", labels)
    nifti(top / "ASD/2_image.nii/scan.nii", frames)
    nifti(top / "ASD/2_label.nii", labels * 2)
    nifti(top / "ASD/3_image.nii/scan.nii", frames)
    objects = [("left_ventricle", chamber), ("right_atrium", other)]
    wants = [
        Want("ASD/1_image.nii/scan.nii", objects, frames[1], 1, subject="ASD/1"),
        Want("Non-ASD/1_image.nii.gz", objects, frames[1], 1, subject="Non-ASD/1"),
    ]
    failures = ["2_image.nii...unknown label values [8]", "3_image.nii...image without mask"]
    return Truth(wants, failures, {"slice or frame without annotation": 4})
