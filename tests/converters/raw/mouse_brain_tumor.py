"""Zips in a zip, names with and without the annotator, masks of means, a mask of another name."""

import shutil

from tests.kit.archives import Truth, Want, picture, rect, save, soft


def make(root):
    tumor, wants = rect(8, 8, 30, 40), []
    work = root.parent / "work"
    outer = root.parent / "outer"
    for recording, names in (
        ("rec__20240101_101010", {"frame7_img": "frame7_img_mask", "frame8_img": "frame8_img_AB_mask"}),
        ("rec__20240102_101010", {"Extracted Frames7img": "Extracted Frames7img_mask"}),
    ):
        for n, (image, mask) in enumerate(names.items()):
            save(work / recording / f"Images/{image}.png", picture(n, color=True))
            save(work / recording / f"Masks/{mask}.png", soft(tumor))
            file = f"{recording}/Images/{image}.png"
            wants.append(Want(file, [("tumor", tumor)], picture(n, color=True), subject=recording))
        if recording.endswith("02_101010"):
            save(work / recording / "Masks/overview.png", soft(tumor))
        outer.mkdir(exist_ok=True)
        shutil.make_archive(str(outer / recording), "zip", work, recording)
    root.mkdir(parents=True)
    source = shutil.make_archive(str(root / "MouseBrainTumor"), "zip", outer)
    shutil.rmtree(work)
    shutil.rmtree(outer)
    return Truth(wants, ["overview.png: unknown name"], source=root / source)
