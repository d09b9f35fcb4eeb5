"""JPEG masks with a rim, a black one, an image that the table lacks."""

from tests.kit.archives import Truth, Want, gray8, jpg, picture, rect, text


def make(root):
    wall = rect(8, 16, 32, 48)
    rows = ["file,quality,quality_name,patient,testitem_in_fold"]
    for n, (name, mask) in enumerate((("A1", wall), ("B2", wall & False), ("C3", wall), ("D4", wall))):
        jpg(root / f"c-trus/original/{name}.jpg", picture(n, color=True))
        jpg(root / f"c-trus/labels/{name}.jpg", gray8(mask))
        rows += [f"{name}.jpg,{n},{('high', 'medium', 'low')[n % 3]},{1 + n // 2},{n}"] if n < 3 else []
    text(root / "c-trus/c-trus.csv", "\n".join(rows) + "\n")
    wants = [
        Want("A1.jpg", [("colon_wall", wall)], subject="1", extra={"quality": "high", "fold": 0}),
        Want("C3.jpg", [("colon_wall", wall)], subject="2", extra={"quality": "low", "fold": 2}),
    ]
    return Truth(wants, ["D4.jpg...not listed in c-trus.csv"], {"image without foreground": 1})
