"""Black pixels inside a chamber, labels over the sector's border, ED/ES repeats, official lists, a ring."""

import numpy as np

from tests.kit.archives import Truth, Want, ell, nifti, picture, rect, text


def make(root):
    top = root / "CAMUS_public"
    sector, cavity = rect(4, 4, 44, 60), ell(10, 12)
    muscle = rect(6, 8, 40, 44) & ~cavity
    leaking = rect(34, 48, 48, 64)
    wants = []
    for patient in ("patient0001", "patient0002"):
        for view in ("2CH", "4CH"):
            frames = np.stack([np.where(sector, picture(i), 0) for i in range(3)]).astype(np.float32)
            frames[:, 14:18, 13:16] = 0
            labels = np.zeros_like(frames)
            for value, mask in ((1, cavity), (2, muscle), (3, leaking)):
                labels[:, mask] = value
            stem = top / f"database_nifti/{patient}/{patient}_{view}"
            nifti(stem.with_name(stem.name + "_half_sequence.nii.gz"), frames)
            nifti(stem.with_name(stem.name + "_half_sequence_gt.nii.gz"), labels)
            for part in ("ED", "ES"):
                nifti(stem.with_name(f"{stem.name}_{part}.nii.gz"), frames[0])
                nifti(stem.with_name(f"{stem.name}_{part}_gt.nii.gz"), labels[0])
            objects = [("endocardium", cavity), ("epicardium", muscle), ("atrium_wall", leaking & sector)]
            split = "test" if patient == "patient0002" else "train"
            name = f"{patient}_{view}_half_sequence.nii.gz"
            wants += [Want(name, objects, frames[i].astype(np.uint8), i, patient, split) for i in range(3)]
    for part, content in (("training", "patient0001\n"), ("validation", ""), ("testing", "patient0002\n")):
        text(top / f"database_split/subgroup_{part}.txt", content)
    return Truth(wants, skips={"ED or ES file that repeats a frame of the sequence": 8})
