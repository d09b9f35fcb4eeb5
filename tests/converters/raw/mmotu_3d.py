"""Any class color is lesion, binary duplicates, bare stems in the lists, an unlisted color."""

from tests.kit.archives import Truth, Want, gray8, jpg, paint, picture, rect, save, text


def make(root):
    top = root / "OTU_3d"
    mask = rect(4, 4, 40, 44)
    for n, color in ((1, (64, 0, 0)), (2, (0, 128, 0)), (3, (200, 0, 0))):
        jpg(top / f"images/{n}.JPG", picture(n, color=True))
        save(top / f"annotations/{n}.PNG", paint({color: mask}))
        save(top / f"annotations/{n}_binary.PNG", gray8(mask) // 255)
    text(top / "train.txt", "1\n3\n")
    text(top / "val.txt", "2\n")
    wants = [
        Want("images/1.JPG", [("lesion", mask)], split="train"),
        Want("images/2.JPG", [("lesion", mask)], split="test"),
    ]
    return Truth(wants, ["3.JPG...unknown color (200, 0, 0)"])
