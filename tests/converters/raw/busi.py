"""Three masks that overlap, RGBA and 1-bit masks, a speck, black normal masks, a contradiction."""

from tests.kit.archives import Truth, Want, bits, gray8, picture, rect, rgba, save


def make(root):
    top = root / "Dataset_BUSI_with_GT"
    big, touching, inside = rect(4, 4, 30, 34), rect(30, 4, 40, 34), rect(8, 8, 16, 16)
    save(top / "benign/benign (1).png", picture(1, color=True))
    bits(top / "benign/benign (1)_mask.png", big | rect(46, 60, 47, 61))
    save(top / "benign/benign (195).png", picture(2, color=True))
    bits(top / "benign/benign (195)_mask.png", big)
    save(top / "benign/benign (195)_mask_1.png", rgba(gray8(touching)))
    bits(top / "benign/benign (195)_mask_2.png", inside)
    save(top / "malignant/malignant (1).png", picture(3, color=True))
    bits(top / "malignant/malignant (1)_mask.png", touching)
    save(top / "normal/normal (1).png", picture(4, color=True))
    save(top / "normal/normal (1)_mask.png", picture(4, color=True) * 0)
    for name in ("benign/benign (433)", "malignant/malignant (145)"):
        save(top / f"{name}.png", picture(5, color=True))
        bits(top / f"{name}_mask.png", big)
    wants = [
        Want("benign (1).png", [("breast_nodule", big)], picture(1, color=True), extra={"label": "benign"}),
        Want(
            "benign (195).png",
            [("breast_nodule", m) for m in (big, touching, inside)],
            picture(2, color=True),
        ),
        Want("malignant (1).png", [("breast_nodule", touching)], picture(3, color=True)),
    ]
    skips = {"image without foreground": 1, "same picture with opposite labels": 2}
    return Truth(wants, [], skips, {"speck: breast_nodule": 1})
