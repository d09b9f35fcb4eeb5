"""Masks with gray edges and a speck."""

from tests.kit.archives import Truth, Want, picture, rect, save, soft


def make(root):
    one, two = rect(4, 4, 40, 44), rect(6, 6, 20, 30)
    for n, mask in ((1, one | rect(45, 60, 46, 61)), (2, two)):
        save(root / f"BUS/original/{n:06d}.png", picture(n, color=n == 1))
        save(root / f"BUS/GT/{n:06d}.png", soft(mask))
    wants = [
        Want("000001.png", [("breast_nodule", one)], picture(1, color=True)),
        Want("000002.png", [("breast_nodule", two)], picture(2)),
    ]
    return Truth(wants, notes={"speck: breast_nodule": 1})
