"""Turned aponeurosis masks, equal stems in two parts, mixed endings, a fascicle mask missing."""

import numpy as np

from tests.kit.archives import Truth, Want, ell, gray8, jpg, picture, rect, save


def make(root):
    top = root / "FALLMUD"
    line, fascicle = ell(16, 8), rect(8, 40, 16, 56)
    save(top / "NeilCronin/images/0.tif", picture(1))
    jpg(top / "NeilCronin/aponeurosis_masks/0.jpg", gray8(line))
    save(top / "NeilCronin/fascicle_masks/0.tif", gray8(fascicle | rect(0, 0, 2, 2)))
    jpg(top / "RyanCunningham/images/0.jpg", picture(2))
    jpg(top / "RyanCunningham/aponeurosis_masks/0.jpg", gray8(np.rot90(line)))
    jpg(top / "RyanCunningham/fascicle_masks/0.jpg", gray8(fascicle))
    jpg(top / "RyanCunningham/images/10.jpg", picture(3))
    jpg(top / "RyanCunningham/aponeurosis_masks/10.jpg", gray8(np.rot90(line)))
    objects = [("aponeurosis", line), ("fascicle", fascicle)]
    wants = [
        Want("NeilCronin/images/0.tif", objects, picture(1)),
        Want("RyanCunningham/images/0.jpg", objects),
    ]
    notes = {"mask turned by 90 degrees clockwise": 1, "speck: fascicle": 1}
    return Truth(wants, ["10.jpg...without fascicle mask"], {}, notes)
