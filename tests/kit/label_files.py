"""A small label file of each kind as its tool writes it, beside images of 12 x 9 pixels."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np

W, H = 12, 9
#: A square with a hole, which is where each of the files has it.
SQUARE = [3, 2, 10, 2, 10, 7, 3, 7]
#: What Label Studio's own `mask2rle` makes of the square with the hole.
PACKED = [
    *(0, 0, 1, 176, 57, 27, 254, 107, 0, 195, 127, 248, 76, 3, 13, 255, 225, 48, 9, 255, 237, 128, 79, 255),
    *(132, 192, 48, 223, 254, 19, 0, 195, 127, 249, 156, 0),
]


def square() -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[2:7, 3:10] = True
    return mask


def ring() -> np.ndarray:
    mask = square()
    mask[4, 5:8] = False
    return mask


def image(folder: Path, name: str = "a.png") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((H, W), 90, np.uint8))
    return path


def pairs(scale: tuple[float, float] = (1, 1)) -> list[list[float]]:
    return [[x * scale[0], y * scale[1]] for x, y in zip(SQUARE[::2], SQUARE[1::2], strict=True)]


def labelme() -> dict:
    crop = ring()[2:7, 3:10].astype(np.uint8) * 255
    png = base64.b64encode(cv2.imencode(".png", crop)[1].tobytes()).decode()
    common = {"group_id": None, "flags": {}, "description": ""}
    shapes = [
        {"label": "lesion", "shape_type": "polygon", "points": pairs(), **common},
        {"label": "cyst", "shape_type": "mask", "points": [[3, 2], [9, 6]], "mask": png, **common},
        {"label": "cyst", "shape_type": "circle", "points": [[6, 4.5], [9, 4.5]], **common},
        {"label": "box", "shape_type": "rectangle", "points": [[1, 1], [3, 3]], **common},
        {"label": "tip", "shape_type": "point", "points": [[1, 1]], **common},
    ]
    head = {"version": "5.5.0", "flags": {}, "imagePath": "a.png", "imageData": None}
    return {**head, "shapes": shapes, "imageHeight": H, "imageWidth": W}


def via() -> dict:
    xs, ys = SQUARE[::2], SQUARE[1::2]
    outlines = [
        {"name": "polygon", "all_points_x": xs, "all_points_y": ys},
        {"name": "ellipse", "cx": 6, "cy": 4.5, "rx": 3, "ry": 3, "theta": 0.4},
        {"name": "rect", "x": 1, "y": 1, "width": 2, "height": 2},
        {"name": "point", "cx": 1, "cy": 1},
    ]
    regions = [{"shape_attributes": o, "region_attributes": {"type": "lesion"}} for o in outlines]
    return {"a.png123": {"filename": "a.png", "size": 123, "regions": regions, "file_attributes": {}}}


def label_studio() -> list:
    size = {"original_width": W, "original_height": H, "image_rotation": 0}
    percent = pairs((100 / W, 100 / H))
    values = [
        ("polygonlabels", {"points": percent, "closed": True, "polygonlabels": ["lesion"]}),
        ("brushlabels", {"format": "rle", "rle": PACKED, "brushlabels": ["cyst"]}),
        (
            "ellipselabels",
            {"x": 50, "y": 50, "radiusX": 25, "radiusY": 100 / 3, "rotation": 9, "ellipselabels": ["cyst"]},
        ),
        (
            "rectanglelabels",
            {"x": 1, "y": 1, "width": 9, "height": 9, "rotation": 0, "rectanglelabels": ["cyst"]},
        ),
        ("keypointlabels", {"x": 1, "y": 1, "width": 0.3, "keypointlabels": ["cyst"]}),
    ]
    result = [{"id": str(i), "type": kind, "value": value, **size} for i, (kind, value) in enumerate(values)]
    result.append({"type": "choices", "value": {"choices": ["good"]}})
    older = {"id": 1, "was_cancelled": False, "result": []}
    left = {"id": 2, "was_cancelled": True, "result": result}
    data = {"image": "/data/upload/1/0a1b2c3d-a.png"}
    return [{"id": 7, "data": data, "annotations": [older, {**left, "id": 3, "was_cancelled": False}, left]}]


def cvat() -> str:
    crop = ring()[2:7, 3:10].ravel().astype(int)
    edges = np.flatnonzero(np.diff(crop)) + 1
    runs = np.diff([0, *edges, len(crop)]).tolist()
    rle = ", ".join(map(str, [0, *runs]))
    points = ";".join(f"{x:.2f},{y:.2f}" for x, y in pairs())
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><job><labels><label><name>cyst</name></label><label><name>lesion</name>
</label></labels></job></meta>
<image id="0" name="a.png" width="{W}" height="{H}" subset="Validation">
<polygon label="lesion" source="manual" points="{points}"></polygon>
<mask label="cyst" source="manual" rle="{rle}" left="3" top="2" width="7" height="5"></mask>
<ellipse label="cyst" source="manual" cx="6" cy="4.5" rx="3" ry="3" rotation="20"></ellipse>
<box label="cyst" source="manual" xtl="1" ytl="1" xbr="3" ybr="3" z_order="0"></box>
<points label="cyst" points="1,1" z_order="0"></points><tag label="cyst"></tag></image></annotations>"""


def write(kind: str, folder: Path) -> Path:
    """The file or folder of a kind with its image; gives what is to be read."""
    image(folder)
    if kind == "yolo":
        (folder / "a.txt").write_text(
            "1 " + " ".join(f"{v / (W, H)[i % 2]:.9f}" for i, v in enumerate(SQUARE)) + "\n0 .5 .5 .1 .1\n"
        )
        (folder / "data.yaml").write_text("names: [cyst, lesion]\n")
        return folder
    if kind == "masks":
        cv2.imwrite(str(folder / "a_mask.png"), ring().astype(np.uint8) * 255)
        return folder
    if kind == "cvat":
        (folder / "a.xml").write_text(cvat())
        return folder / "a.xml"
    content = {"labelme": labelme, "via": via, "label studio": label_studio}[kind]()
    (folder / "a.json").write_text(json.dumps(content))
    return folder / "a.json"
