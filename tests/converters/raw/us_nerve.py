"""Empty masks, LZW TIFF, numbers to sort as numbers, a test folder without masks."""

from tests.kit.archives import Truth, Want, gray8, picture, rect, save, text


def make(root):
    top = root / "ultrasound-nerve-segmentation"
    nerve = rect(8, 8, 24, 32)
    wants = []
    for subject, number, mask in ((1, 1, nerve), (1, 2, nerve & False), (1, 10, nerve), (2, 1, nerve)):
        name = f"{subject}_{number}"
        save(top / f"train/{name}.tif", picture(number), compression="tiff_lzw")
        save(top / f"train/{name}_mask.tif", gray8(mask), compression="tiff_lzw")
        if mask is nerve:
            wants.append(
                Want(f"train/{name}.tif", [("brachial_plexus", nerve)], picture(number), subject=str(subject))
            )
    save(top / "test/1.tif", picture(77))
    text(top / "train_masks.csv", "subject,img,pixels\n1,1,1 1\n")
    return Truth(wants, skips={"image without foreground": 1, "test image without mask": 1})
