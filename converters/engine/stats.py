"""Numbers of a COCO file: per data set, category, size."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from .coco_parsed import Coco


def statistics(coco: Coco) -> dict[str, Any]:
    """Images, objects, subjects, categories and quantiles of the areas written, as JSON values.

    Args:
        coco: A file that `coco_schema.read` gave.
    """
    names = {c["id"]: c["name"] for c in coco["categories"]}
    dataset = {i["id"]: _dataset(i) for i in coco["images"]}
    objects = Counter(dataset[a["image_id"]] for a in coco["annotations"])
    images = Counter(dataset.values())
    subjects: dict[str, set[Any]] = defaultdict(set)
    for image in coco["images"]:
        if image.get("subject") is not None:
            subjects[_dataset(image)].add(image["subject"])
    areas = np.array([a["area"] for a in coco["annotations"] if a.get("area") is not None] or [0], float)
    sizes = np.array([[i["width"], i["height"]] for i in coco["images"] if "width" in i] or [[0, 0]])
    return {
        "images": len(coco["images"]),
        "objects": len(coco["annotations"]),
        "images_without_object": len(set(dataset) - {a["image_id"] for a in coco["annotations"]}),
        "datasets": {
            n: {"images": images[n], "objects": objects[n], "subjects": len(subjects[n])}
            for n in sorted(images)
        },
        "categories": dict(
            Counter(names.get(a.get("category_id"), "none") for a in coco["annotations"]).most_common()
        ),
        "area": {f"p{q}": float(np.percentile(areas, q)) for q in (0, 5, 50, 95, 100)},
        "width": [int(sizes[:, 0].min()), int(sizes[:, 0].max())],
        "height": [int(sizes[:, 1].min()), int(sizes[:, 1].max())],
    }


def _dataset(image: Mapping[str, Any]) -> str:
    return str(image.get("dataset") or "")
