"""Grays in a mask, a black mask, padding of numbers, blanks in names, a readme, two lesions."""

from tests.kit.archives import Truth, Want, picture, rect, save, soft, text


def make(root):
    one, two = rect(5, 5, 20, 20), rect(25, 30, 40, 50)
    images, masks = root / "105US/105 US Images", root / "105US/105 US Masks"
    for n in (1, 2, 3):
        save(images / f"{n:03d}.png", picture(n, color=True))
    save(masks / "001 G man.png", soft(one | two))
    save(masks / "2 G man.png", (two * 200).astype("uint8"))
    save(masks / "003 G man.png", (two * 0).astype("uint8"))
    text(images / "readme.txt", "Masks")
    wants = [
        Want("001.png", [("tumor", one), ("tumor", two)], picture(1, color=True)),
        Want("002.png", [("tumor", two)], picture(2, color=True)),
    ]
    return Truth(wants, skips={"image without foreground": 1})
