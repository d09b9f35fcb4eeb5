"""Masks of 0 and 1, a capsule that is a point, an empty one, equal names in other label folders."""

import numpy as np

from tests.kit.archives import Truth, Want, picture, rect, save


def make(root):
    top = root / "kidneyUS"
    kidney = rect(8, 8, 40, 50)
    wants = []
    for n, mask in ((1, kidney), (2, kidney & False), (169, rect(8, 8, 9, 9)), (11, kidney)):
        name = f"{n}_IM-0001-00{n:03d}_anon.png"
        save(
            top / f"kidneyUS_images_14_june_2022/kidneyUS_images_14_june_2022/{name}", picture(n, color=True)
        )
        for annotator in (1, 2):
            labels = top / f"labels/reviewed_masks_{annotator}"
            save(
                labels / f"capsule/{name}",
                mask.astype(np.uint8) if annotator == 1 else rect(0, 0, 5, 5).astype(np.uint8),
            )
            save(labels / f"regions/{name}", mask.astype(np.uint8) * 3)
        if mask is kidney:
            wants.append(Want(name, [("kidney", kidney)], picture(n, color=True), subject=str(n)))
    return Truth(wants, [], {"image without foreground": 2}, {"speck: kidney": 1})
