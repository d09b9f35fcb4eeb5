"""Numbers of a COCO file: per data set, category, size."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from .coco import Coco


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
