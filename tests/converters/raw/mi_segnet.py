"""Numbers that restart in each part, masks of 1, an empty one, a label without image."""

from tests.kit.archives import Truth, Want, picture, rect, save


def make(root):
    top, vessel, wants = root / "MI_SegNet_dataset", rect(8, 8, 30, 40), []
    for n, (part, split) in enumerate((("Training", "train"), ("ValS", "val"), ("TS3", "test"))):
        save(top / f"{part}/img/img0001.png", picture(n))
        save(top / f"{part}/label/label0001.png", vessel.astype("uint8"))
        wants.append(Want(f"{part}/img/img0001.png", [("carotid_artery", vessel)], picture(n), split=split))
    save(top / "TS3/img/img0002.png", picture(7))
    save(top / "TS3/label/label0002.png", vessel.astype("uint8") * 0)
    save(top / "TS3/label/label0003.png", vessel.astype("uint8"))
    return Truth(wants, ["label0003.png: mask without image"], {"image without foreground": 1})
