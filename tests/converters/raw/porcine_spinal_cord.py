"""Equal names in the folders, colors side by side, a color that stands for nothing."""

from tests.kit.archives import Truth, Want, paint, picture, rect, save


def make(root):
    dura, cord, wants = rect(4, 4, 8, 60), rect(8, 4, 30, 60), []
    for n, split in enumerate(("train", "val", "test")):
        save(root / f"{split}_images/a.png", picture(n, color=True))
        save(root / f"{split}_masks/a.png", paint({(128, 0, 0): dura, (0, 0, 128): cord}))
        objects = [("dura", dura), ("spinal_cord", cord)]
        wants.append(Want(f"{split}_images/a.png", objects, picture(n, color=True), split=split))
    save(root / "test_images/b.png", picture(8, color=True))
    save(root / "test_masks/b.png", paint({(1, 2, 3): cord}))
    return Truth(wants, ["test_images/b.png...unknown color (1, 2, 3)"])
