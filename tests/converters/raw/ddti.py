"""Three versions of the same scans of which one counts, upper-case endings, strips, a csv of fake labels."""

from tests.kit.archives import Truth, Want, gray8, picture, rect, save, text


def make(root):
    top = root / "Thyroid Dataset/DDTI dataset/DDTI"
    mask, second = rect(6, 8, 20, 20), rect(24, 30, 40, 50)
    strips = rect(0, 62, 30, 64) | rect(47, 2, 48, 40)
    for n in range(2):
        for folder in ("2_preprocessed_data/stage1/p_", "2_preprocessed_data/stage2/p_", "1_or_data/"):
            save(top / f"{folder}image/{n:04d}.PNG", picture(n + len(folder), color=True))
            save(top / f"{folder}mask/{n:04d}.PNG", gray8(mask | second if n else mask | strips))
    text(top / "1_or_data/category.csv", "ID,CATE\n0000.PNG,7\n")
    seed = len("2_preprocessed_data/stage1/p_")
    return Truth(
        [
            Want("stage1/p_image/0000.PNG", [("thyroid_nodule", mask)], picture(seed, color=True)),
            Want(
                "stage1/p_image/0001.PNG",
                [("thyroid_nodule", mask), ("thyroid_nodule", second)],
                picture(seed + 1, color=True),
            ),
        ],
        notes={"strip along the image border: thyroid_nodule": 2},
    )
