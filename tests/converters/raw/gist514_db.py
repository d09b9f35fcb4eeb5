"""Category numbers unlike the names, a lesion of two polygons, folds that overlap, a wrong size."""

from tests.kit.archives import Truth, Want, dump, jpg, picture, rect, ring


def make(root):
    top = root / "usd514_jpeg_roi"
    one, two = rect(4, 4, 20, 24), rect(24, 30, 40, 50)
    names = [{"id": 1, "name": "GIST"}, {"id": 2, "name": "lmym"}]
    for n in (1, 2, 3):
        jpg(top / f"images/{n}.jpg", picture(n, color=True))

    def flat(box):
        return [v for point in ring(*box) for v in point]

    def image(n, **more):
        return {"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 48, "anatomy_id": 3, **more}

    def lesion(n, category, *boxes):
        return {"image_id": n, "category_id": category, "segmentation": [flat(box) for box in boxes]}

    train = {
        "images": [image(1), image(3, width=63), image(4)],
        "annotations": [lesion(1, 1, (4, 4, 20, 24), (24, 30, 40, 50)), lesion(3, 1, (4, 4, 20, 24))],
        "categories": names,
    }
    val = {"images": [image(2)], "annotations": [lesion(2, 2, (4, 4, 20, 24))], "categories": names}
    dump(top / "annotations/train_anno_crop_split_0.json", train)
    dump(top / "annotations/val_anno_crop_split_0.json", val)
    dump(top / "annotations/train_anno_crop_split_1.json", {**val, "images": [image(1), image(2)]})
    wants = [
        Want("1.jpg", [("gist", one | two)], split="train", extra={"anatomy_id": 3}),
        Want("2.jpg", [("lmym", one)], split="test"),
    ]
    return Truth(wants, ["3.jpg...image of 64x48", "4.jpg...listed in train"])
