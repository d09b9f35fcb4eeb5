"""GBK text, overlaps, points outside, two-point polygons, an unknown label, a wrong size, a bare name."""

from tests.kit.archives import Truth, Want, dump, jpg, picture, rect, ring


def make(root):
    top = root / "UBPD"
    nerve, muscle, beyond = (10, 10, 16, 20), (4, 4, 40, 44), (30, 50, 70, 90)

    def add(name, shapes, encoding="utf-8-sig", width=64):
        jpg(top / f"JPEGImages/{name}.jpg", picture(len(name)))
        content = {
            "version": "4",
            "shapes": shapes,
            "imagePath": "神经.jpg",
            "imageHeight": 48,
            "imageWidth": width,
        }
        dump(top / f"json_train/{name}.json", content, encoding)

    def shape(label, points):
        return {"label": label, "points": points, "shape_type": "polygon"}

    first = [
        shape("jirouzuzhi", ring(*muscle)),
        shape(" Shenjing", ring(*nerve)),
        shape("dongmai", [[1, 1], [2, 2]]),
    ]
    add("12_a", first, "gbk")
    add("12_b", [shape("jingmai", ring(*beyond)), shape("jingmai", [["x", 1], [2, 2], [3, 3]])])
    add("plain", [shape("jizhu", ring(*nerve))])
    add("13_a", [shape("unknown", ring(*nerve))])
    add("14_a", [shape("jizhu", ring(*nerve))], width=65)
    wants = [
        Want("12_a.jpg", [("muscle", rect(*muscle)), ("nerve", rect(*nerve))], subject="12"),
        Want("12_b.jpg", [("vein", rect(30, 50, 48, 64))], subject="12"),
        Want("plain.jpg", [("spine", rect(*nerve))]),
    ]
    skips = {"polygon of fewer than three points or without numbers": 2}
    return Truth(wants, ["13_a...unknown label 'unknown'", "14_a...image of 64x48"], skips)
