"""Overlapping structures, an absent one, and a pickle that wants to run something."""

import os

import numpy as np

from tests.kit.archives import Truth, Want, picture, rect, save


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/ultrasam-evil",)


def make(root):
    name = "Fetal Abdominal Structures Segmentation Dataset Using Ultrasonic Images"
    top = root / name / name
    liver, vein = rect(4, 4, 40, 44), rect(10, 10, 16, 30)
    (top / "ARRAY_FORMAT").mkdir(parents=True)
    for n in (1, 2, 10):
        save(top / f"IMAGES/P{n:03d}_IMG1.png", picture(n, color=True))

    def dump(n, structures, **more):
        value = {"image": picture(n, color=True)[..., ::-1], "structures": structures, **more}
        np.save(top / f"ARRAY_FORMAT/P{n:03d}_IMG1.npy", np.array(value, dtype=object), allow_pickle=True)

    dump(
        1,
        {
            "liver": liver.astype(np.uint8),
            "vein": vein.astype(np.uint8),
            "artery": np.zeros_like(liver, np.uint8),
        },
    )
    dump(2, {"stomach": vein.astype(np.uint8)}, trap=Evil())
    dump(10, {"stomach": vein.astype(np.uint8)})
    wants = [
        Want("P001_IMG1.png", [("liver", liver), ("vein", vein)], picture(1, color=True), subject="P001"),
        Want("P010_IMG1.png", [("stomach", vein)], picture(10, color=True), subject="P010"),
    ]
    return Truth(wants, ["P002_IMG1.npy...refused to load posix.system"])
