"""Labels for readers and writers of formats: masks that are hard to keep, and the COCO file that has them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from ultrasam.data import coco
from ultrasam.data.formats import importing

H, W = 60, 80


def masks() -> dict[str, list[np.ndarray]]:
    """Class -> masks that do not touch: a ring, two parts, a blob at the border, one with two holes."""
    y, x = np.mgrid[:H, :W] + 0.5
    far = np.hypot(x - 18, y - 16)
    parts = (np.hypot(x - 45, y - 10) < 6) | (np.hypot(x - 66, y - 12) < 5)
    blob = (x > 70) & (y > 40)
    cheese = (np.abs(x - 30) < 22) & (np.abs(y - 45) < 11)
    cheese &= (np.hypot(x - 20, y - 45) > 4) & (np.hypot(x - 40, y - 44) > 5)
    return {"lesion": [(far < 14) & (far > 6), parts], "cyst": [blob, cheese]}


def write(folder: Path, names: tuple[str, ...] = ("one.png", "deep/two.png")) -> Path:
    """A COCO file of images with these masks, in ``folder/images`` and ``folder/annotations/all.json``."""
    categories = [{"id": 4, "name": "lesion"}, {"id": 9, "name": "cyst"}]
    content = {"images": [], "annotations": [], "categories": categories}
    for number, name in enumerate(names, start=1):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 255, (H, W), dtype=np.uint8))
        content["images"].append({"id": number, "file_name": name, "height": H, "width": W})
        for category in categories:
            for mask in masks()[category["name"]]:
                rle = coco.encode(mask)
                head = {"id": len(content["annotations"]) + 1, "image_id": number, "iscrowd": 0}
                entry = {**head, "category_id": category["id"], "area": int(mask.sum())}
                content["annotations"].append(
                    {**entry, "segmentation": rle, "bbox": coco_mask.toBbox(rle).tolist()}
                )
    path = folder / "annotations" / "all.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def of(imported: importing.Imported) -> dict[str, dict[str, list[np.ndarray]]]:
    """Image -> class -> masks, by pycocotools."""
    names = {entry["id"]: entry["name"] for entry in imported.content["categories"]}
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for entry in imported.content["images"]:
        assert (imported.folder / entry["file_name"]).is_file()
        its = found.setdefault(entry["file_name"], {})
        for annotation in imported.content["annotations"]:
            if annotation["image_id"] == entry["id"]:
                rle = annotation["segmentation"]
                if isinstance(rle, list):
                    rle = coco_mask.merge(coco_mask.frPyObjects(rle, entry["height"], entry["width"]))
                its.setdefault(names[annotation["category_id"]], []).append(
                    coco_mask.decode(rle).astype(bool)
                )
    return found


def border_distance(found: np.ndarray, mask: np.ndarray) -> float:
    """How far the furthest pixel in which two masks differ is from the border of the second, in pixels."""
    inner = cv2.erode(np.pad(mask, 1).astype(np.uint8), np.ones((3, 3)))[1:-1, 1:-1].astype(bool)
    away = cv2.distanceTransform(1 - (mask & ~inner).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(away[found != mask].max(initial=0))
