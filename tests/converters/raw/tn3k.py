"""Names restart in test, JPEG masks, two nodules, a speck."""

from tests.kit.archives import Truth, Want, dump, gray8, jpg, picture, rect


def make(root):
    top = root / "Thyroid Dataset/tn3k"
    one, two = rect(8, 8, 24, 32), rect(32, 40, 48, 64)
    for part, mask in (("trainval", one | two), ("test", two)):
        jpg(top / f"{part}-image/0000.jpg", picture(1, color=True))
        jpg(top / f"{part}-mask/0000.jpg", gray8(mask))
    jpg(top / "trainval-image/0001.jpg", picture(2, color=True))
    dump(top / "tn3k-trainval-fold0.json", {"train": [0], "val": [1]})
    wants = [
        Want("trainval-image/0000.jpg", [("thyroid_nodule", one), ("thyroid_nodule", two)], split="train"),
        Want("test-image/0000.jpg", [("thyroid_nodule", two)], split="test"),
    ]
    return Truth(wants, ["trainval-image/0001.jpg...image without mask"])
