"""A user's own COCO file, split by subject into train, val and test."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ultrasam.converters.engine.split import fraction
from ultrasam.data import coco
from ultrasam.errors import DataError

_SIDES = ("train", "val", "test")
_SHARES = {"test": 0.2, "val": 0.1}


def split_coco(source: Path, images: Path, out: Path) -> Counter[str]:
    """Write ``out/{train,val,test}.json``; a subject is never on two sides.

    An image's own ``split`` (train, val or test) is kept. A side that no image names gets its share of the
    subjects of the training side: those with the lowest hash, at least one. Where the file knows no
    subjects, each image is its own.

    Returns:
        Images a side.

    Raises:
        DataError: the file is not usable, or too small to split.
    """
    coco.load(source, images)  # speaks up about anything that training would stumble over
    content = coco.read_json(source)
    sides = _sides(content["images"], source)
    out.mkdir(parents=True, exist_ok=True)
    for name in _SIDES:
        part: dict[str, Any] = {
            **content,
            "images": [image for image in content["images"] if sides[image["id"]] == name],
            "annotations": [a for a in content["annotations"] if sides[a["image_id"]] == name],
        }
        (out / f"{name}.json").write_text(json.dumps(part))
    return Counter(sides.values())


def _sides(images: list[dict[str, Any]], source: Path) -> dict[int, str]:
    """Image id -> side."""
    sides = {image["id"]: image["split"] if image.get("split") in _SIDES else "train" for image in images}
    subjects = {image["id"]: str(image.get("subject") or image["file_name"]) for image in images}
    given = set(sides.values())
    for name, share in _SHARES.items():
        if name in given:
            continue
        left = sorted(
            {subjects[i] for i, side in sides.items() if side == "train"},
            key=lambda subject: fraction("demo", subject),
        )
        chosen = set(left[: max(1, round(share * len(left)))])
        sides.update({i: name for i, side in sides.items() if side == "train" and subjects[i] in chosen})
    empty = [name for name in _SIDES if name not in sides.values()]
    if empty:
        raise DataError(
            f"{source}: {len(images)} images of {len(set(subjects.values()))} subjects are too few to split: "
            f"nothing is left for {' and '.join(empty)}"
        )
    return sides
