"""Turned frames, an empty frame, two labels that touch, two videos of a patient."""

import numpy as np

from tests.kit.archives import Truth, Want, ell, nifti, picture, rect


def make(root):
    top = root / "EchoCP_dataset"
    first = ell(8, 10)
    touching = rect(8, 18, 24, 30)
    frames = np.stack([picture(i) for i in range(2)])
    labels = np.zeros_like(frames)
    labels[1][first] = 1
    labels[1][touching] = 2
    wants = []
    for name in ("001_r", "001_v", "002_r"):
        nifti(top / f"{name}_image.nii.gz", np.flip(frames, (1, 2)))
        nifti(top / f"{name}_label.nii.gz", np.flip(labels, (1, 2)))
        objects = [("chamber", first), ("chamber", touching)]
        wants.append(Want(f"{name}_image.nii.gz", objects, frames[1], 1, name[:3]))
    return Truth(wants, skips={"slice or frame without annotation": 3})
