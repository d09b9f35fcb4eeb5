"""Numbers that restart in test, other annotators, frames upside down, black in the gland, labels outside."""

import numpy as np

from tests.kit.archives import Truth, Want, ell, nifti, picture, rect


def make(root):
    top = root / "Micro_Ultrasound_Prostate_Segmentation_Dataset"
    fan, gland = rect(4, 4, 44, 60), ell(12, 14)
    outside, other = rect(44, 14, 48, 22), rect(0, 0, 30, 30)
    frames = np.stack([np.where(fan, picture(i), 0) for i in range(3)]).astype(np.uint8)
    frames[:, 16:20, 16:19] = 0
    labels = np.zeros_like(frames)
    labels[1][gland | rect(36, 14, 44, 22) | outside] = 1
    wrong = np.zeros_like(frames)
    wrong[0][other] = 1
    for split, number, value in (("train", "01", 1), ("train", "02", 255), ("test", "01", 1)):
        folder = top / split
        nifti(folder / f"micro_ultrasound_scans/microUS_{split}_{number}.nii.gz", frames[:, ::-1])
        truth = folder / f"expert_annotations/expert_annotation_{split}_{number}.nii.gz"
        nifti(truth, (labels * value)[:, ::-1])
        others = ("non_expert", "nonexpert") if split == "train" else ("clinician", "clinician")
        nifti(folder / f"{others[0]}_annotations/{others[1]}_annotation_{split}_{number}.nii.gz", wrong)
    objects = [("prostate", gland | rect(36, 14, 44, 22))]
    wants = [
        Want("microUS_train_01.nii.gz", objects, frames[1], 1, "train_01"),
        Want("microUS_train_02.nii.gz", objects, frames[1], 1, "train_02"),
        Want("microUS_test_01.nii.gz", objects, frames[1], 1, "test_01", "test"),
    ]
    return Truth(wants, skips={"slice or frame without annotation": 6})
