"""Colors in RGB order, duplicate binary masks, a speck, a class that disagrees, a name not listed."""

from tests.kit.archives import Truth, Want, gray8, jpg, paint, picture, rect, save, text


def make(root):
    top = root / "MMOTU/OTU_2d"
    mask, speck = rect(4, 4, 40, 44), rect(44, 56, 47, 60)
    red, blue, deep = (64, 0, 0), (0, 0, 64), (0, 0, 128)
    for n, color in ((1, red), (2, blue), (3, red), (4, (1, 2, 3)), (5, red), (12, deep)):
        jpg(top / f"images/{n}.JPG", picture(n, color=True))
        save(top / f"annotations/{n}.PNG", paint({color: mask | speck if n == 1 else mask}))
        save(top / f"annotations/{n}_binary.PNG", gray8(mask) // 255)
        save(top / f"annotations/{n}_binary_binary.PNG", gray8(mask) // 255)
    text(top / "train_cls.txt", "1.JPG  0\n2.JPG  2\n3.JPG  2\n4.JPG  0\n")
    text(top / "val_cls.txt", "12.JPG  7\n")
    text(top / "train.txt", "1\n2\n3\n4\n")
    text(top / "val.txt", "12\n")
    wants = [
        Want("images/1.JPG", [("chocolate_cyst", mask)]),
        Want("images/2.JPG", [("teratoma", mask)]),
        Want("images/12.JPG", [("high_grade_serous", mask)], split="test"),
    ]
    failures = [
        "3.JPG...color says chocolate_cyst",
        "4.JPG...unknown color (1, 2, 3)",
        "5.JPG...not listed",
    ]
    return Truth(wants, failures, {}, {"speck: chocolate_cyst": 1})
