"""One mask and two that touch, a mask of a strange name, one without an image."""

from tests.kit.archives import Truth, Want, gray8, picture, rect, save


def make(root):
    top = root / "LUMINOUS_Database"
    left, right = rect(8, 8, 30, 30), rect(8, 30, 30, 50)
    for n, name in enumerate(("100_1", "101_2", "102_1")):
        save(top / f"B-mode/{name}_Bmode.tif", picture(n))
    save(top / "Masks/100_1_Mask.tif", gray8(left))
    save(top / "Masks/101_2_Mask1.tif", gray8(left))
    save(top / "Masks/101_2_Mask2.tif", gray8(right))
    save(top / "Masks/103_1_Mask.tif", gray8(left))
    save(top / "Masks/notes.tif", gray8(left))
    name = "lumbar_multifidus"
    wants = [
        Want("100_1_Bmode.tif", [(name, left)], picture(0), subject="100"),
        Want("101_2_Bmode.tif", [(name, left), (name, right)], picture(1), subject="101"),
    ]
    failures = ["102_1_Bmode.tif: image without mask", "103_1_Mask.tif: mask without", "notes.tif...unknown"]
    return Truth(wants, failures)
