"""Borders that run the other way, another analyst, lines of unlike lengths, one border alone."""

from tests.kit.archives import Truth, Want, picture, rect, save, text


def border(x, y):
    return " ".join(map(str, x)) + "\n" + " ".join(map(str, y)) + "\n"


def make(root):
    top, wall = root / "DATASET_CUBS", rect(20, 10, 27, 51)
    right, left = [10.0, 30.0, 50.0], [50.0, 30.0, 10.0]
    tracings = {
        "clin_0001_L": (border(right, [20.0] * 3), border(right, [26.0] * 3)),
        "clin_0001_R": (border(right, [20.0] * 3), border(left, [26.0] * 3)),
        "clin_0002_L": (border(right, [20.0] * 3), border(right, [26.0] * 2)),
        "tech_003": (border(right, [20.0] * 3), None),
    }
    for n, (name, both) in enumerate(tracings.items()):
        save(top / f"IMAGES/{name}.tiff", picture(n))
        for kind, content in zip(("LI", "MA"), both, strict=True):
            if content:
                text(top / f"LIMA-Profiles/Manual-A1/{name}-{kind}.txt", content)
            text(top / f"LIMA-Profiles/Manual-A2/{name}-{kind}.txt", border(right, [2.0] * 3))
    objects = [("intima_media", wall)]
    wants = [
        Want("clin_0001_L.tiff", objects, picture(0), subject="clin_0001"),
        Want("clin_0001_R.tiff", objects, picture(1), subject="clin_0001"),
    ]
    return Truth(wants, ["clin_0002_L-MA.txt: no two lines", "tech_003.tiff: image without MA tracing"])
