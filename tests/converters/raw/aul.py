"""Equal stems in the classes, the liver traced in the outline, no liver at all, points outside."""

from tests.kit.archives import Truth, Want, dump, jpg, picture, rect, ring


def make(root):
    liver, mass, field = (4, 4, 40, 50), (10, 10, 20, 20), (0, 0, 48, 64)

    def add(folder, n, **parts):
        jpg(root / f"{folder}/{folder}/image/{n}.jpg", picture(n, color=True))
        for name, box in parts.items():
            dump(root / f"{folder}/{folder}/segmentation/{name}/{n}.json", ring(*box))

    add("Benign", 1, liver=liver, mass=mass, outline=field)
    add("Malignant", 1, liver=(2, 2, 30, 30), mass=mass, outline=field)
    add("Malignant", 229, mass=mass, outline=liver)
    add("Malignant", 374, mass=mass, outline=field)
    add("Normal", 1, liver=(20, 30, 60, 80), outline=field)
    add("Normal", 2, outline=field)
    both = [("liver", rect(*liver)), ("mass", rect(*mass))]
    wants = [
        Want("Benign/image/1.jpg", both, subject="Benign/1"),
        Want("Malignant/image/1.jpg", [("liver", rect(2, 2, 30, 30)), ("mass", rect(*mass))]),
        Want("Malignant/image/229.jpg", both),
        Want("Malignant/image/374.jpg", [("mass", rect(*mass))]),
        Want("Normal/image/1.jpg", [("liver", rect(20, 30, 48, 64))]),
    ]
    return Truth(wants, failures=["2.jpg...without liver or mass"])
