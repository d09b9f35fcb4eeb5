"""Equal numbers in the parts, a heart inside the thorax, a mask of ones, one of two masks."""

from tests.kit.archives import Truth, Want, gray8, picture, rect, save, text


def make(root):
    heart, thorax, wants = rect(14, 20, 30, 40), rect(4, 8, 44, 56), []
    for n, (part, split) in enumerate((("training", "train"), ("validation", "val"), ("testing", "test"))):
        save(root / f"{part}/images/001.png", picture(n))
        save(root / f"{part}/annfiles_mask/001-cardiac.png", gray8(heart))
        save(root / f"{part}/annfiles_mask/001-thorax.png", gray8(thorax))
        text(root / f"{part}/annfiles_ellipse/001.txt", "30 22 10 8 0 cardiac\n")
        objects = [("fetal_heart", heart), ("fetal_thorax", thorax)]
        wants.append(Want(f"{part}/images/001.png", objects, picture(n), split=split))
    save(root / "testing/images/002.png", picture(7))
    save(root / "testing/annfiles_mask/002-cardiac.png", gray8(heart) // 255)
    save(root / "testing/annfiles_mask/002-thorax.png", gray8(thorax))
    save(root / "testing/images/003.png", picture(8))
    save(root / "testing/annfiles_mask/003-thorax.png", gray8(thorax))
    save(root / "testing/annfiles_mask/003-all.png", gray8(thorax))
    failures = [
        "002-cardiac.png: no pixel from 128",
        "003.png: image without cardiac",
        "003-all.png: unknown",
    ]
    return Truth(wants, failures)
