"""Equal names in two folders, several recordings of a day, an empty mask, an unknown name."""

import numpy as np

from tests.kit.archives import Truth, Want, gray8, picture, rect, save


def make(root):
    top = root / "Common Carotid Artery Ultrasound Images"
    mask = rect(10, 10, 30, 40)
    wants = []
    for n, name in enumerate(
        ("202201121748100022VAS_slice_1393", "202201121810000001VAS_slice_7", "202203010900000001VAS_slice_7")
    ):
        save(top / f"US images/{name}.png", picture(n, color=True))
        save(top / f"Expert mask images/{name}.png", np.repeat(gray8(mask)[..., None], 3, 2))
        wants.append(
            Want(
                f"US images/{name}.png",
                [("carotid_artery", mask)],
                picture(n, color=True),
                subject=name.split("VAS")[0],
            )
        )
    save(top / "US images/202203010900000001VAS_slice_8.png", picture(9, color=True))
    save(top / "Expert mask images/202203010900000001VAS_slice_8.png", gray8(mask & False))
    save(top / "US images/20220301.png", picture(9, color=True))
    save(top / "Expert mask images/20220301.png", gray8(mask))
    return Truth(wants, ["20220301.png...unknown name"], {"image without foreground": 1})
