"""Other endings on both sides, a mark behind a mask's name, a mask of grays, no partner."""

from tests.kit.archives import Truth, Want, gray8, picture, rect, save, soft


def make(root):
    top, mask = root / "BUSIS", rect(8, 8, 30, 40)
    for n in range(4):
        save(top / f"Original/case{n}.bmp", picture(n))
    save(top / "GT/case0.png", gray8(mask))
    save(top / "GT/case1_GT.png", gray8(mask) // 255)
    save(top / "GT/case2.png", soft(mask))
    wants = [Want(f"case{n}.bmp", [("breast_nodule", mask)], picture(n)) for n in (0, 1)]
    return Truth(wants, ["case2.bmp...two values was expected", "case3.bmp: image without mask"])
