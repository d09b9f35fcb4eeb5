"""JPEG masks, a video told by the frame size, the official cut inside it, another folder spelling."""

from tests.kit.archives import Truth, Want, dump, gray8, jpg, picture, rect


def make(root):
    top = root / "Thyroid Dataset/tg3k"
    wants = []
    for n in range(6):
        w = 64 if n < 4 else 72
        mask = rect(8, 8, 40, 48, 48, w)
        jpg(top / f"Thyroid-image/{n:04d}.jpg", picture(n, 48, w))
        jpg(top / f"Thyroid-mask/{n:04d}.jpg", gray8(mask))
        wants.append(Want(f"{n:04d}.jpg", [("thyroid_gland", mask)], subject="run 01" if n < 4 else "run 02"))
    dump(top / "tg3k-trainval.json", {"train": [0, 1, 2], "val": [3, 4, 5]})
    return Truth(wants)
