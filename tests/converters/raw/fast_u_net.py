"""1-bit and anti-aliased masks, images in several archives' folders, lists with folders that don't exist."""

from tests.kit.archives import Truth, Want, bits, gray8, jpg, picture, rect, save, soft, text


def make(root):
    top = root / "Fast-U-Net"
    one, two, block = rect(4, 4, 40, 44), rect(6, 6, 20, 30), rect(8, 8, 40, 48)
    save(top / "Dataset/AC/AC_image1/0001.png", picture(1))
    save(top / "Dataset/AC/AC_image2/fa_0001.png", picture(2))
    save(top / "Dataset/AC/AC_mask/mask/0001.png", soft(one))
    bits(top / "Dataset/AC/AC_mask/mask/fa_0001.png", two)
    text(top / "Dataset/AC/train.txt", "resized_data/image/0001.png resized_data/mask/0001.png\n")
    text(top / "Dataset/AC/val.txt", "resized_data/image/fa_0001.png resized_data/mask/fa_0001.png\n")
    for n, name in enumerate(("010_HC", "010_2HC", "011_HC")):
        save(top / f"Dataset/HC/HC_image{n % 2 + 1}/{name}.png", picture(10 + n))
        if name != "011_HC":
            save(top / f"Dataset/HC/HC_mask/mask/{name}_Annotation.png", gray8(one))
    text(
        top / "Dataset/HC/train.txt",
        "resized_data/image/010_HC.png resized_data/mask/010_HC_Annotation.png\n",
    )
    text(
        top / "Dataset/HC/val.txt",
        "resized_data/image/010_2HC.png resized_data/mask/010_2HC_Annotation.png\n",
    )
    jpg(top / "test_data/image/1576.jpg", picture(5))
    jpg(top / "test_data/mask/1576.jpg", gray8(block))
    wants = [
        Want("AC_image1/0001.png", [("fetal_abdomen", one)], picture(1), split="train"),
        Want("AC_image2/fa_0001.png", [("fetal_abdomen", two)], picture(2), split="val"),
        Want("HC_image1/010_HC.png", [("fetal_head", one)], picture(10), subject="HC 010", split="train"),
        Want("HC_image2/010_2HC.png", [("fetal_head", one)], picture(11), subject="HC 010", split="train"),
    ]
    wants.append(Want("test_data/image/1576.jpg", [("fetal_head", block)], split="test"))
    return Truth(wants, ["011_HC.png...image without mask"])
