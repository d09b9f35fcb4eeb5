"""Red and green in RGB order, two codes of one person, normal images, an image of another shape."""

from tests.kit.archives import Truth, Want, paint, picture, rect, rgba, save, text


def make(root):
    name = "BUS-UCLM Breast ultrasound lesion segmentation dataset"
    top = root / name / name / "BUS-UCLM"
    mask, other = rect(6, 8, 20, 20), rect(24, 30, 40, 50)
    green, red = paint({(0, 255, 0): mask | other}), paint({(255, 0, 0): mask})
    rows = ["Image;Resolution;Label;Doppler;Marks;Combined"]

    def add(stem, image, label, colors):
        save(top / f"images/{stem}.png", image)
        save(top / f"masks/{stem}.png", colors)
        rows.append(f"{stem}.png;856x606;{label};No;Yes;No")

    add("CHCO_000", picture(1, color=True), "Benign", green)
    add("CHVI_005", picture(1, color=True), "Benign", green)
    add("COPE_001", rgba(picture(2, color=True), 7), "Malignant", red)
    add("ALWI_000", picture(3, color=True), "Normal", paint({}))
    add("HESN_000", picture(4, 40, 64, color=True), "Benign", green)
    add("SHST_000", picture(5, color=True), "Malignant", green)
    text(top / "INFO.csv", "\n".join(rows), "utf-8-sig")
    benign = [("benign_breast_lesion", mask), ("benign_breast_lesion", other)]
    wants = [
        Want("CHCO_000.png", benign, picture(1, color=True), subject="CHVI"),
        Want("CHVI_005.png", benign, picture(1, color=True), subject="CHVI"),
        Want("COPE_001.png", [("malignant_breast_lesion", mask)], picture(2, color=True), split="test"),
    ]
    failures = ["HESN_000...mask of 64x48", "SHST_000...the mask says benign, INFO.csv says malignant"]
    return Truth(wants, failures, {"image without foreground": 1})
