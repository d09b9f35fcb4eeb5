"""A user's own COCO file, split by subject into train, val and test."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ultrasam import coco
from ultrasam.converters.engine.split import fraction
from ultrasam.errors import DataError

_SHARES = {"test": 0.2, "val": 0.1}


def split_coco(source: Path, images: Path, out: Path) -> Counter[str]:
    """Write ``out/{train,val,test}.json``; a subject is never on two sides.

    An image's own ``split`` (train, val or test) is kept. Otherwise its side follows from a hash of its
    ``subject``, or of its file name where the file knows no subjects.

    Returns:
        Images a side.

    Raises:
        DataError: the file is not usable, or a side stays empty.
    """
    coco.load(source, images)  # speaks up about anything that training would stumble over
    content = coco.read_json(source)
    sides = {image["id"]: _side(image) for image in content["images"]}
    counts = Counter(sides.values())
    empty = [name for name in ("train", "val", "test") if not counts[name]]
    if empty:
        raise DataError(
            f"{source}: no image falls into {' and '.join(empty)}; {len(sides)} images are too few to split, "
            "or give each image a 'split' of train, val or test"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in counts:
        part: dict[str, Any] = {
            **content,
            "images": [image for image in content["images"] if sides[image["id"]] == name],
            "annotations": [a for a in content["annotations"] if sides[a["image_id"]] == name],
        }
        (out / f"{name}.json").write_text(json.dumps(part))
    return counts


def _side(image: dict[str, Any]) -> str:
    if image.get("split") in ("train", "val", "test"):
        return str(image["split"])
    place = fraction("demo", str(image.get("subject") or image["file_name"]))
    if place < _SHARES["test"]:
        return "test"
    return "val" if place < _SHARES["test"] + _SHARES["val"] else "train"
