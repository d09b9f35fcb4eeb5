"""One number in two sites, a site without labels, contours (closed, open), a 6, a slip; turned frames."""

import cv2
import numpy as np

from tests.kit.archives import Truth, Want, ell, nifti, picture, rect


def edge(mask):
    return mask & ~(cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0)


def turned(array):
    return np.ascontiguousarray(np.flip(array, (1, 2)))


def make(root):
    top = root / "cardiacUDC_dataset"
    lv, big, small = ell(8, 10), rect(4, 4, 44, 50), rect(14, 16, 26, 30)
    line = np.zeros(lv.shape, bool)
    line[2, 2:62] = True
    frames = np.stack([picture(i) for i in range(4)])
    first, second, whole = (np.zeros_like(frames) for _ in range(3))
    first[1][lv] = 1
    first[2, 20:22, 20:22] = 2
    second[0][lv] = 3
    whole[0][edge(big)] = 1
    whole[0][edge(small)] = 6
    whole[1][line] = 2
    whole[1][big & ~line] = 4
    whole[2][big] = 5
    whole[3][lv] = 1
    for name, labels in (("Site_G_20/patient1-4", first), ("Site_R_52/patient1-4", second)):
        nifti(top / f"{name}_image.nii.gz", turned(frames))
        nifti(top / f"{name}_label.nii.gz", turned(labels).astype(np.int8))
    nifti(top / "Site_R_73/patient1-4_image.nii.gz", turned(frames))
    nifti(top / "label_all_frame/normal-1-4_image.nii.gz", turned(frames))
    nifti(top / "label_all_frame/normal-1-4_label.nii.gz", turned(whole).astype(np.int8))
    wants = [
        Want(
            "Site_G_20/patient1-4_image.nii.gz",
            [("left_ventricle", lv)],
            frames[1],
            1,
            "Site_G_20/patient1-4",
        ),
        Want(
            "Site_R_52/patient1-4_image.nii.gz", [("right_atrium", lv)], frames[0], 0, "Site_R_52/patient1-4"
        ),
        Want(
            "label_all_frame/normal-1-4_image.nii.gz",
            [("left_ventricle", big & ~small), ("right_ventricle", small)],
            frames[0],
            0,
        ),
        Want("label_all_frame/normal-1-4_image.nii.gz", [("right_ventricle", big)], frames[1], 1),
        Want("label_all_frame/normal-1-4_image.nii.gz", [("left_ventricle", lv)], frames[3], 3),
    ]
    skips = {
        "slice or frame without annotation": 2 + 3 + 1,
        "frame with less than 2.5 % foreground": 1,
        "video without labels": 1,
    }
    notes = {"label 5 dropped": 3, "label 6 taken as 4": 3, "open contour dropped": 1}
    return Truth(wants, [], skips, notes)
