"""Numbers of a COCO file: per data set, category, size; and splitting a file again by subject."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import split as splitting
from .coco import Coco, subset
from .types import Case


def statistics(coco: Coco) -> dict[str, Any]:
    """Images, objects, subjects, categories and area quantiles, as JSON values."""
    names = {c["id"]: c["name"] for c in coco["categories"]}
    dataset = {i["id"]: i.get("dataset", "") for i in coco["images"]}
    objects = Counter(dataset.get(a["image_id"], "") for a in coco["annotations"])
    images = Counter(dataset.values())
    subjects: dict[str, set[Any]] = defaultdict(set)
    for image in coco["images"]:
        if image.get("subject") is not None:
            subjects[image.get("dataset", "")].add(image["subject"])
    areas = np.array([a["area"] for a in coco["annotations"]] or [0])
    sizes = np.array([[i["width"], i["height"]] for i in coco["images"]] or [[0, 0]])
    return {
        "images": len(coco["images"]),
        "objects": len(coco["annotations"]),
        "images_without_object": len(set(dataset) - {a["image_id"] for a in coco["annotations"]}),
        "datasets": {
            n: {"images": images[n], "objects": objects[n], "subjects": len(subjects[n])}
            for n in sorted(images)
        },
        "categories": dict(Counter(names[a["category_id"]] for a in coco["annotations"]).most_common()),
        "area": {f"p{q}": float(np.percentile(areas, q)) for q in (0, 5, 50, 95, 100)},
        "width": [int(sizes[:, 0].min()), int(sizes[:, 0].max())],
        "height": [int(sizes[:, 1].min()), int(sizes[:, 1].max())],
    }


def resplit(
    coco: Coco, *, seed: str = splitting.SEED, val: float = splitting.VAL_FRACTION
) -> Mapping[str, Coco]:
    """Split a file in train and val by (data set, subject); an image without subject stands for itself."""
    cases = []
    for image in coco["images"]:
        subject = image.get("subject")
        group = f"{image.get('dataset', '')}/{image['file_name'] if subject is None else subject}"
        cases.append(Case(str(image["id"]), subject=group))
    sides = splitting.assign(cases, seed=seed, val=val)
    return {
        side: subset(coco, (i["id"] for i in coco["images"] if sides[str(i["id"])] == side))
        for side in ("train", "val")
    }
