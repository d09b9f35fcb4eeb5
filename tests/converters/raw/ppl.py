"""Equal names in each patient's folder, a thin line along the border, a patient without mask."""

from tests.kit.archives import Truth, Want, gray8, picture, rect, save


def make(root):
    top = root / "Lung Ultrasound Dataset"
    line = rect(20, 4, 23, 60) | rect(0, 0, 1, 30)
    for n in (17, 18, 19):
        save(top / f"images/{n}/1.png", picture(n, color=True))
    for n in (17, 18):
        save(top / f"masks/{n}/1.png", gray8(line))
    objects = [("pleural_line", rect(20, 4, 23, 60)), ("pleural_line", rect(0, 0, 1, 30))]
    wants = [Want(f"images/{n}/1.png", objects, picture(n, color=True), subject=str(n)) for n in (17, 18)]
    return Truth(wants, ["images/19/1.png: image without mask"])
