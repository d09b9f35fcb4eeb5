"""Floats for gray values, two phases, a phase without mask, a mask of ones."""

import numpy as np

from tests.kit.archives import Truth, Want, nifti, picture, rect


def make(root):
    cavity, wants = rect(8, 8, 30, 40), []
    pictures = np.stack([picture(n) for n in range(2)])
    mask = np.zeros(pictures.shape, np.uint8)
    mask[1, cavity] = 255
    for patient, phase, values in (
        ("patient01", "ED", mask),
        ("patient01", "ES", mask),
        ("patient02", "ED", mask // 255),
        ("patient02", "ES", None),
    ):
        top = root / "dataset" / patient
        nifti(top / f"{patient}_{phase}.nii.gz", pictures.astype(np.float32))
        if values is not None:
            nifti(top / f"{patient}_{phase}_gt.nii.gz", values)
        if patient == "patient01":
            file = f"{patient}_{phase}.nii.gz"
            wants.append(Want(file, [("left_ventricle", cavity)], pictures[1], 1, subject=patient))
    failures = ["patient02_ED.nii.gz...unknown label values [1]", "patient02_ES.nii.gz: image without mask"]
    return Truth(wants, failures, {"slice or frame without annotation": 2})
