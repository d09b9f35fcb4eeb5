"""Equal names in the parts, masks of 1 and of 255, a mask of grays, altered copies."""

from tests.kit.archives import Truth, Want, gray8, picture, rect, save, soft


def make(root):
    top = root / "BUSI_WHU Breast Cancer Ultrasound Image  Dataset"
    mask, wants = rect(8, 8, 30, 40), []
    for n, (part, split) in enumerate((("train", "train"), ("valid", "val"), ("test", "test"))):
        save(top / f"{part}/img/ori/0001.bmp", picture(n))
        save(top / f"{part}/gt/ori/0001_anno.bmp", gray8(mask) if n else gray8(mask) // 255)
        save(top / f"{part}/img/flip/0001.bmp", picture(n)[::-1])
        wants.append(Want(f"{part}/img/ori/0001.bmp", [("breast_nodule", mask)], picture(n), split=split))
    save(top / "train/img/ori/0002.bmp", picture(9))
    save(top / "train/gt/ori/0002_anno.bmp", soft(mask))
    return Truth(wants, ["0002.bmp...two values was expected, found 4"])
